/** A capture that is open in a worker: the same questions, asked by message. */
import type { AwsJson, AwsReport, Suggestion } from './aws.js';
import { revived } from './errors.js';
import type { FilterError } from './errors.js';
import type {
  CaptureApi, CaptureOptions, CaptureProgress, Damage, ExportKind, FlowPage, FlowQuery, FollowedStream, Overview, Problem,
  ReadOptions, Row, Selection, SelectOptions, Timeline,
} from './capture-types.js';
import type { Answer, Call, CaptureMethod, OpenState, Sendable, WorkerSource } from './protocol.js';
import type { Completion, FlowCounters, PacketTree, Session } from './types.js';

/** What a capture needs of its worker. */
export interface Asking {
  value<T>(call: Call, options: { signal?: AbortSignal; onProgress?: (progress: never) => void }): Promise<T>;
  pieces(call: Call): AsyncGenerator<Answer, void, void>;
  tell(call: Call): void;
}

/** Made by `MirrorscopeWorker.open`. */
export class WorkerCapture implements CaptureApi {
  readonly #worker: Asking;
  readonly #id: number;
  readonly #onAppend: CaptureOptions['onProgress'];
  packetCount = 0;
  firstPacket = 0;
  damage: readonly Damage[] = [];
  readonly loaded: Promise<void>;

  constructor(worker: Asking, id: number, sources: WorkerSource[], options: CaptureOptions) {
    this.#worker = worker;
    this.#id = id;
    const { onProgress, ...rest } = options;
    this.#onAppend = onProgress;
    const take = (progress: CaptureProgress): void => {
      this.#note(progress.packets, progress.firstPacket);
      // The last word is said when `damage` is known.
      if (!progress.done) onProgress?.(progress);
    };
    const opened = worker.value<OpenState>({ name: 'open', capture: id, sources, options: rest as Sendable<CaptureOptions> }, { onProgress: take as never });
    this.loaded = opened.then(
      (state) => {
        this.#note(state.packetCount, state.firstPacket);
        this.damage = state.damage.map(({ error, ...where }) => ({ ...where, error: revived(error) as Damage['error'] }));
        if (!options.live) onProgress?.(state.progress);
      },
      (error: Damage['error']) => {
        this.damage = [{ error, source: 0, sourceName: undefined }];
      },
    );
  }

  #note(packetCount: number, firstPacket: number): void {
    this.packetCount = packetCount;
    this.firstPacket = firstPacket;
  }

  #ask<T>(method: CaptureMethod, args: unknown[], options: ReadOptions = {}): Promise<T> {
    const { signal, onProgress } = options;
    return this.#worker.value<T>({ name: 'ask', capture: this.#id, method, args }, { ...(signal && { signal }), ...(onProgress && { onProgress: onProgress as never }) });
  }

  stop(): void {
    this.#worker.tell({ name: 'tell', capture: this.#id, method: 'stop' });
  }

  select(expr: string, { fromNs, toNs, within, ...options }: SelectOptions = {}): Promise<Selection> { return this.#ask('select', [expr, { fromNs, toNs, within }], options); }
  selectTime(fromNs: bigint, toNs: bigint, selection?: Selection): Promise<Selection> { return this.#ask('selectTime', [fromNs, toNs, selection]); }
  release(selection: Selection): void { void this.#ask('release', [selection]).catch(() => {}); }
  rows(query: { selection?: Selection | undefined; from: number; count: number }): Promise<Row[]> { return this.#ask('rows', [query]); }
  indexOf(selection: Selection, packet: number): Promise<number> { return this.#ask('indexOf', [selection, packet]); }
  bytes(packet: number): Promise<Uint8Array> { return this.#ask('bytes', [packet]); }
  packet(packet: number): Promise<PacketTree> { return this.#ask('packet', [packet]); }
  text(packet: number, format: 'text' | 'tcpdump' | 'jsonl' = 'text'): Promise<string> { return this.#ask('text', [packet, format]); }
  timeline(query: { bins: number; fromNs?: bigint; toNs?: bigint; selection?: Selection | undefined }): Promise<Timeline> { return this.#ask('timeline', [query]); }
  overview(query: { selection?: Selection | undefined } = {}): Promise<Overview> { return this.#ask('overview', [query]); }
  sessionsSeen(): Promise<Session[]> { return this.#ask('sessionsSeen', []); }
  sessions(): Promise<Session[]> { return this.#ask('sessions', []); }
  flows(query: FlowQuery = {}): Promise<FlowPage> { return this.#ask('flows', [query]); }
  flowCounters(): Promise<FlowCounters | undefined> { return this.#ask('flowCounters', []); }
  flowPackets(flow: number): Promise<Selection> { return this.#ask('flowPackets', [flow]); }
  lint(json: AwsJson[]): Promise<AwsReport> { return this.#ask('lint', [json]); }
  setNames(json: AwsJson[]): Promise<void> { return this.#ask('setNames', [json]); }
  complete(text: string, cursor: number = text.length): Promise<Completion[]> { return this.#ask('complete', [text, cursor]); }

  follow(flow: number, { limit, ...options }: { limit?: number } & ReadOptions = {}): Promise<FollowedStream> {
    return this.#ask('follow', [flow, limit === undefined ? {} : { limit }], options);
  }

  explain(json: AwsJson[], { selection, ...options }: { selection?: Selection | undefined } & ReadOptions = {}): Promise<AwsReport> {
    return this.#ask('explain', [json, { selection }], options);
  }

  suggest(goal: { drop: string } | { keep: string }, json: AwsJson[] = [], options: ReadOptions = {}): Promise<Suggestion> {
    return this.#ask('suggest', [goal, json], options);
  }

  async check(text: string): Promise<FilterError | undefined> {
    const fault = await this.#ask<object | undefined>('check', [text]);
    return fault && (revived(fault) as FilterError);
  }

  async problems(): Promise<Problem[]> {
    return this.#ask('problems', []);
  }

  async append(chunk: Uint8Array): Promise<void> {
    const state = await this.#ask<OpenState>('append', [chunk]);
    this.#note(state.packetCount, state.firstPacket);
    this.damage = state.damage.map(({ error, ...where }) => ({ ...where, error: revived(error) as Damage['error'] }));
    this.#onAppend?.(state.progress);
  }

  export(kind: ExportKind, { selection }: { selection?: Selection | undefined } = {}): ReadableStream<Uint8Array> {
    const pieces = this.#worker.pieces({ name: 'export', capture: this.#id, kind, selection });
    return new ReadableStream({
      async pull(controller) {
        for (;;) {
          const { done, value } = await pieces.next();
          if (done) return controller.close();
          if ('octets' in value) return controller.enqueue(value.octets);
        }
      },
      async cancel() {
        await pieces.return();
      },
    }, { highWaterMark: 0 });
  }

  dispose(): void {
    this.#worker.tell({ name: 'tell', capture: this.#id, method: 'dispose' });
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
