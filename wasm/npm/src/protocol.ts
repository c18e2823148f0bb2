/** The messages between a page and its worker. */
import type { AwsJson } from './aws.js';
import type { Columns } from './columns.js';
import type { BatchOptions } from './decode.js';
import type { ModuleFile } from './module.js';
import type { CaptureApi, CaptureOptions, CaptureProgress, ExportKind, Selection } from './capture-types.js';
import type { PassOptions, PrintOptions, SessionId } from './types.js';

/** What can be sent to a worker to be read there. */
export type WorkerSource = Blob | ArrayBuffer | Uint8Array | ReadableStream<Uint8Array>;

/** Where the parts of the decoder come from, if not from beside the worker. */
export type Modules = Partial<Record<ModuleFile, WebAssembly.Module | string>>;

/** Options without what cannot be sent. */
export type Sendable<T> = Omit<T, 'signal' | 'onProgress'>;

export type Call =
  | { name: 'summarise'; source: WorkerSource; options: Sendable<PassOptions> }
  | { name: 'decode'; source: WorkerSource; options: Sendable<PassOptions & BatchOptions> }
  | { name: 'print'; source: WorkerSource; options: Sendable<PrintOptions> }
  | { name: 'explain'; source: WorkerSource; json: AwsJson[]; options: Sendable<PassOptions> }
  | {
      name: 'suggest';
      source: WorkerSource;
      goal: { drop: string } | { keep: string };
      json: AwsJson[];
      options: Sendable<PassOptions>;
    }
  | { name: 'open'; capture: number; sources: WorkerSource[]; options: Sendable<CaptureOptions> }
  | { name: 'ask'; capture: number; method: CaptureMethod; args: unknown[] }
  | { name: 'export'; capture: number; kind: ExportKind; selection: Selection | undefined }
  | { name: 'tell'; capture: number; method: 'stop' | 'dispose' };

/** Questions to a capture that have one answer. */
export type CaptureMethod = {
  [Name in keyof CaptureApi]: CaptureApi[Name] extends (...args: never[]) => Promise<unknown> | void ? Name : never;
}[Exclude<keyof CaptureApi, 'stop' | 'dispose' | typeof Symbol.dispose>];

/** How a capture stands when it was loaded, or when a chunk was taken. */
export interface OpenState {
  packetCount: number;
  firstPacket: number;
  damage: { error: object; source: number; sourceName: string | undefined }[];
  progress: CaptureProgress;
}

/** To the worker: a call, a wish for the next piece, or for the end; `unread` where nobody took the value. */
export type Request = { id: number; call: Call; modules?: Modules | undefined } | { id: number; more: true } | { id: number; stop: true; unread: boolean };

/** From the worker. */
export type Answer =
  | { id: number; progress: object }
  | { id: number; batch: { length: number; columns: Columns; sessions: readonly SessionId[] } }
  | { id: number; octets: Uint8Array }
  | { id: number; value: unknown }
  | { id: number; error: object };
