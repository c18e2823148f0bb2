/** One decoder with its options set, fed with chunks. What is pushed and pulled above is built on it. */
import type { RawDecoder } from './bindings-decode.js';
import { type Batch, view } from './columns.js';
import { CaptureError, disposed, FilterError, MirrorscopeError } from './errors.js';
import { memory } from './module.js';
import { ready } from './runtime.js';
import { asOctets } from './sources.js';
import type { DecodeOptions, Flow, FlowCounters, FlowOptions, Session, SessionId } from './types.js';

/** Octets that a module takes at once. */
const SPACE_LEN = 256 * 1024;
const FULL = 1;
const HUNGRY = 0;

/** A pass over a capture: chunks in, and each time something is to be taken, a pause. */
export class Engine {
  #raw: RawDecoder | undefined;
  done = false;
  readonly #memory = memory();
  #seen: SessionId[] = [];
  #addresses: Uint32Array | undefined;

  constructor(options: DecodeOptions) {
    const raw = (this.#raw = new (ready().RawDecoder)());
    const { filter, skip = 0, count, genevePorts = [6081], vxlanPorts = [4789], flows } = options;
    raw.setPorts(Uint16Array.from(genevePorts), Uint16Array.from(vxlanPorts));
    raw.setRange(skip, count);
    if (filter) this.#check(raw.setFilter(filter));
    if (flows) this.#gatherFlows(flows === true ? {} : flows);
  }

  get raw(): RawDecoder {
    if (!this.#raw) throw disposed('decoder');
    return this.#raw;
  }

  /** Throws the error that the module returned as text, if it did, and gives the decoder back. */
  #check(fault: string | undefined): void {
    if (fault === undefined) return;
    this.free();
    throwFilter(fault);
  }

  /** Takes a chunk; yields each time columns or text are full, and goes on when they were taken. */
  *feed(octets: Uint8Array): Generator<void> {
    const chunk = asOctets(octets);
    for (let at = 0; at < chunk.length && !this.done; at += SPACE_LEN) {
      const part = chunk.subarray(at, at + SPACE_LEN);
      const address = this.raw.space(part.length);
      new Uint8Array(this.#memory.buffer, address, part.length).set(part);
      this.raw.commit(part.length);
      yield* this.#steps();
    }
  }

  /** Says that no chunk follows; yields as `feed`, and once more for what is left. */
  *end(): Generator<void> {
    if (!this.done) {
      this.raw.finish();
      yield* this.#steps();
      this.done = true;
    }
    yield;
  }

  *#steps(): Generator<void> {
    for (;;) {
      const status = this.raw.step();
      if (status === FULL) {
        yield;
      } else {
        this.done = status !== HUNGRY;
        return;
      }
    }
  }

  damage(): CaptureError | undefined {
    const text = this.raw.damage();
    return text === undefined ? undefined : new CaptureError(JSON.parse(text) as ConstructorParameters<typeof CaptureError>[0]);
  }

  free(): void {
    this.#raw?.free();
    this.#raw = undefined;
  }

  #gatherFlows(options: FlowOptions): void {
    const { maxFlows = 1 << 18, top, tcpTimeout = 350, timeout = 120, keepDuplicates = false, sort = 'bytes' } = options;
    const seed = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;
    if (!this.raw.setFlows(maxFlows, top, tcpTimeout, timeout, keepDuplicates, sort, seed)) {
      this.free();
      throw new MirrorscopeError('SORT', `flows cannot be sorted by ${sort}`);
    }
  }

  /** Fills columns of `rows` packets. */
  fillColumns(rows: number): void {
    this.raw.setColumns(rows);
    this.#addresses = this.raw.columnAddresses();
  }

  /** The columns as they lie in the module's memory; call `taken` when they were read. */
  batch(): Batch {
    return view(this.#addresses ?? new Uint32Array(), this.raw.rows(), this.sessionsSeen());
  }

  /** Empties the columns, once they were read. */
  taken(): void {
    this.raw.clearColumns();
  }

  /** The sessions in the order in which they were first seen. */
  sessionsSeen(): readonly SessionId[] {
    if (this.raw.sessionCount() !== this.#seen.length) {
      this.#seen = lines<Session>(this.raw.sessionsSeen()).map(identity);
    }
    return this.#seen;
  }

  sessions(): Session[] {
    return lines(this.raw.printSessions());
  }

  flows(): Flow[] {
    return lines(this.raw.printFlows());
  }

  flowCounters(): FlowCounters | undefined {
    const text = this.raw.flowCounters();
    return text === undefined ? undefined : (JSON.parse(text) as FlowCounters);
  }
}

/** Throws the error that the module returned as text, if it did. */
export function throwFilter(fault: string | undefined): void {
  if (fault !== undefined) throw new FilterError(JSON.parse(fault) as ConstructorParameters<typeof FilterError>[0]);
}

function identity({ kind, endpoint, vni, source, name }: Session): SessionId {
  return JSON.parse(JSON.stringify({ kind, endpoint, vni, source, name })) as SessionId;
}

function lines<T>(text: string): T[] {
  return text === '' ? [] : (JSON.parse(`[${text.trimEnd().replaceAll('\n', ',')}]`) as T[]);
}
