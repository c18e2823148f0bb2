/** The messages between a page and its worker. */
import type { AwsJson } from './aws.js';
import type { Columns } from './columns.js';
import type { BatchOptions } from './decode.js';
import type { PassOptions, PrintOptions, SessionId } from './types.js';

/** What can be sent to a worker to be read there. */
export type WorkerSource = Blob | ArrayBuffer | Uint8Array | ReadableStream<Uint8Array>;

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
    };

/** To the worker: a call, a wish for the next piece, or for the end. */
export type Request = { id: number; call: Call; module?: unknown } | { id: number; more: true } | { id: number; stop: true };

/** From the worker. */
export type Answer =
  | { id: number; progress: object }
  | { id: number; batch: { length: number; columns: Columns; sessions: readonly SessionId[] } }
  | { id: number; octets: Uint8Array }
  | { id: number; value: unknown }
  | { id: number; error: object };
