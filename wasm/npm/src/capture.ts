/** A capture that can be looked at anywhere: an index stays in memory, octets are read again when they are needed. */
import './api.js';
import { type AwsJson, type AwsReport, explain, lint, namesOf, type Suggestion, suggest } from './aws.js';
import type { RawCapture } from './bindings-capture.js';
import { capturePart } from './capture-module.js';
import { disposed, FilterError, MirrorscopeError, NotInitialisedError } from './errors.js';
import { printed, streamOf } from './decode.js';
import { checkFilter } from './filter.js';
import { Kept } from './kept.js';
import { memory } from './module.js';
import { Loader } from './loader.js';
import { asOctets, type Source } from './sources.js';
import { packetPart } from './packet-module.js';
import { changed, run, type Visited } from './visit.js';
import type {
  CaptureApi, CaptureOptions, Damage, ExportKind, FlowPage, FlowQuery, FollowedStream, Overview, Problem, ReadOptions,
  Row, Selection, SelectOptions, StreamSegment, Timeline,
} from './capture-types.js';
import type { Completion, FlowCounters, FlowOptions, PacketTree, PassOptions, Session } from './types.js';

/** Rows that `rows` gives at most. */
const MAX_ROWS = 200;
/** Packets that a live capture keeps, where nothing else is asked for. */
const LIVE_PACKETS = 100_000;
/** Octets of one flow that `follow` gives, where nothing else is asked for. */
const FOLLOW_LEN = 1024 * 1024;

/** The last number of a selection: those of other captures are not taken for one's own. */
let lastSelection = 0;

interface Selected { id: number; count: number; read: number; visit?: number; error?: string }

/** An indexed capture. Give it back with `dispose()` or `using`. */
export class Capture implements CaptureApi {
  readonly #held: RawCapture;
  readonly #loader: Loader;
  readonly #options: CaptureOptions;
  readonly #live: Kept | undefined;
  #disposed = false;
  #aws: AwsJson[] = [];
  /** Sessions that were looked up among the names. */
  #named = 0;
  /** Selections of the problems that were told last. */
  readonly #problems: number[] = [];
  /** The selections that are still there: their numbers in the module, by ours. */
  readonly #selections = new Map<number, number>();
  readonly loaded: Promise<void>;

  private constructor(sources: Source[], options: CaptureOptions) {
    const { live = false, maxPackets = live ? LIVE_PACKETS : 0 } = options;
    const seed = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;
    const bindings = capturePart.loaded;
    if (!bindings) throw new NotInitialisedError('captures need the part with the index', 'await initCapture()');
    this.#held = new bindings.RawCapture(maxPackets, live, seed);
    this.#options = options;
    this.#loader = new Loader(this.#held, memory());
    this.#raw.setPorts(Uint16Array.from(options.genevePorts ?? [6081]), Uint16Array.from(options.vxlanPorts ?? [4789]));
    const { flows = true, aws = [] } = options;
    if (flows) this.#gatherFlows(flows === true ? {} : flows);
    this.#aws = aws;
    if (live) {
      this.#live = new Kept(options.maxKeptBytes ?? 2 ** 30);
      this.#loader.octets[this.#raw.addSource()] = this.#live;
      this.loaded = Promise.resolve();
    } else {
      this.loaded = this.#loader.run(sources, options);
    }
  }

  /** Opens captures, merged in order of time, and returns at once: ask while it loads, or await `loaded`. */
  static begin(sources: Source | Source[], options: CaptureOptions = {}): Capture {
    return new Capture(Array.isArray(sources) ? sources : [sources], options);
  }

  /**
   * Opens captures and indexes them. `Blob`, `ArrayBuffer` and `RandomAccess` are read again when octets are needed;
   * streams and compressed captures are kept in memory, up to `maxKeptBytes`.
   */
  static async open(sources: Source | Source[], options: CaptureOptions = {}): Promise<Capture> {
    const capture = Capture.begin(sources, options);
    await capture.loaded;
    return capture;
  }

  /** The capture's module with the part that answers questions. */
  async #answering(): Promise<RawCapture> {
    await packetPart.load();
    return this.#raw;
  }

  get #raw(): RawCapture {
    if (this.#disposed) throw disposed('capture');
    return this.#held;
  }

  #gatherFlows(options: FlowOptions): void {
    const { maxFlows = 1 << 17, top = 100_000, tcpTimeout = 350, timeout = 120, keepDuplicates = false } = options;
    this.#raw.setFlows(maxFlows, top, tcpTimeout, timeout, keepDuplicates);
  }

  get packetCount(): number { return this.#disposed ? 0 : this.#raw.end(); }
  get firstPacket(): number { return this.#disposed ? 0 : this.#raw.first(); }
  get damage(): readonly Damage[] { return this.#loader.damage; }
  /** Octets that a live capture was fed with. */
  get appendedBytes(): number { return this.#live?.size ?? 0; }
  /** Octets of the index, flows apart. */
  get indexBytes(): number { return this.#raw.memoryLen(); }

  stop(): void {
    this.#loader.stop();
  }

  async select(expr: string, { fromNs, toNs, within, ...options }: SelectOptions = {}): Promise<Selection> {
    options.signal?.throwIfAborted();
    let selection = await this.#select(expr, options);
    const narrow = (text: string): void => {
      this.release(selection);
      selection = { ...this.#selection(text, expr), packetsRead: selection.packetsRead };
    };
    try {
      if (within) narrow(this.#raw.selectBoth(this.#id(selection), this.#id(within)));
      if (fromNs !== undefined || toNs !== undefined) narrow(this.#raw.selectTime(fromNs ?? -(2n ** 63n), toNs ?? 2n ** 63n - 1n, this.#id(selection)));
    } catch (error) {
      this.release(selection);
      throw error;
    }
    return selection;
  }

  async #select(expr: string, options: ReadOptions): Promise<Selection> {
    const raw = await this.#answering();
    const packetCount = this.packetCount;
    const selected = JSON.parse(raw.select(expr)) as Selected;
    if (selected.error !== undefined) throw filterError(selected.error);
    const { read, visit } = selected;
    const id = this.#keep(selected.id);
    if (visit === undefined) return { id, count: selected.count, expr, packetCount, packetsRead: 0 };
    try {
      const found = await this.#visit(visit, options, read);
      return { id, count: (JSON.parse(found ?? '{}') as Selected).count, expr, packetCount, packetsRead: read };
    } catch (error) {
      // Nobody will know of it.
      this.#release(id);
      throw error;
    }
  }

  async selectTime(fromNs: bigint, toNs: bigint, selection?: Selection): Promise<Selection> {
    const raw = await this.#answering();
    return this.#selection(raw.selectTime(fromNs, toNs, this.#id(selection)), selection?.expr ?? '');
  }

  async flowPackets(flow: number): Promise<Selection> {
    return this.#selection((await this.#answering()).selectFlow(flowNumber(flow)), '');
  }

  #selection(text: string, expr: string): Selection {
    const { id, count } = JSON.parse(text) as Selected;
    return { id: this.#keep(id), count, expr, packetCount: this.packetCount, packetsRead: 0 };
  }

  #keep(id: number): number {
    lastSelection += 1;
    this.#selections.set(lastSelection, id);
    return lastSelection;
  }

  release(selection: Selection): void {
    this.#release(selection.id);
  }

  #release(id: number): void {
    const known = this.#selections.get(id);
    if (known === undefined || this.#disposed) return;
    this.#selections.delete(id);
    this.#raw.release(known);
  }

  /** The number of a selection that is still there; that of all packets without one. */
  #id(selection: Selection | undefined): number {
    if (!selection) return 0;
    const known = this.#selections.get(selection.id);
    if (known === undefined) throw new MirrorscopeError('RELEASED', 'this selection was released, or is none of this capture', 'select again');
    return known;
  }

  async rows({ selection, from, count }: { selection?: Selection | undefined; from: number; count: number }): Promise<Row[]> {
    const id = this.#id(selection);
    const limit = Math.min(count, MAX_ROWS);
    try {
      const found = await this.#loader.first(() => this.#visit(this.#raw.visitRows(id, from, limit)));
      return (JSON.parse(found ?? '[]') as RawRow[]).map(row);
    } catch (error) {
      if (!(error instanceof MirrorscopeError)) throw error;
      return this.#bareRows(id, from, limit, error.message);
    }
  }

  /** Rows of packets whose octets are not there any more. */
  #bareRows(selection: number, from: number, count: number, error: string): Row[] {
    const rows: Row[] = [];
    for (let place = from; place < from + count; place += 1) {
      const packet = this.#raw.nth(selection, place);
      const text = packet < 0 ? undefined : this.#raw.bareRow(packet);
      if (text !== undefined) rows.push({ ...row(JSON.parse(text) as RawRow), error });
    }
    return rows;
  }

  async indexOf(selection: Selection, packet: number): Promise<number> {
    return this.#raw.rank(this.#id(selection), packet);
  }

  async bytes(packet: number): Promise<Uint8Array> {
    // The module would take a number that is none for the first packet.
    const [source, offset, length] = this.#raw.place(Number.isInteger(packet) && packet >= 0 ? packet : Infinity);
    if (source === undefined || offset === undefined || length === undefined) {
      throw new RangeError(`there is no packet ${packet}: the capture has ${this.firstPacket} to ${this.packetCount - 1}`);
    }
    const octets = await this.#loader.first(async () => this.#loader.octets[source]?.read(offset, length));
    if (!octets || octets.length !== length) throw changed();
    return octets;
  }

  async packet(packet: number): Promise<PacketTree> {
    const [octets] = await Promise.all([this.bytes(packet), this.#answering()]);
    return there(this.#raw.dissect(packet, octets) as PacketTree | undefined);
  }

  async text(packet: number, format: 'text' | 'tcpdump' | 'jsonl' = 'text'): Promise<string> {
    const [octets] = await Promise.all([this.bytes(packet), this.#answering()]);
    if (format === 'text' || format === 'jsonl') return there(this.#raw.printPacket(packet, octets, format));
    if (format !== 'tcpdump') throw new MirrorscopeError('FORMAT', `packets cannot be printed as ${String(format)}`);
    const selection = this.#selection(this.#raw.selectPacket(packet), '');
    try {
      // Not by a `Response`: a browser would say of every error only that nothing could be fetched.
      const decoder = new TextDecoder();
      let text = '';
      for await (const octets of this.#tcpdump(selection)) text += decoder.decode(octets, { stream: true });
      return text;
    } finally {
      this.release(selection);
    }
  }

  async timeline({ bins, fromNs, toNs, selection }: { bins: number; fromNs?: bigint; toNs?: bigint; selection?: Selection | undefined }): Promise<Timeline> {
    const raw = await this.#answering();
    const text = raw.timeline(bins, fromNs, toNs, this.#id(selection));
    const { startNs, endNs, sessions, bins: length } = JSON.parse(text) as { startNs: string; endNs: string; sessions: number[]; bins: number };
    const [packets, bytes] = [raw.timelinePackets(), raw.timelineBytes()];
    const line = <T extends Uint32Array | Float64Array>(all: T, at: number): T => all.slice(at * length, (at + 1) * length) as T;
    return {
      startNs: BigInt(startNs), endNs: BigInt(endNs), sessions,
      packets: sessions.map((_, at) => line(packets, at)), bytes: sessions.map((_, at) => line(bytes, at)),
    };
  }

  async overview({ selection }: { selection?: Selection | undefined } = {}): Promise<Overview> {
    await this.#name();
    const raw = await this.#answering();
    const overview = JSON.parse(raw.overview(this.#id(selection))) as Overview & { firstNs: string; lastNs: string };
    return { ...overview, firstNs: BigInt(overview.firstNs), lastNs: BigInt(overview.lastNs), flows: await this.flowCounters() };
  }

  async sessionsSeen(): Promise<Session[]> {
    await this.#name();
    return lines(this.#raw.sessions(true));
  }

  async sessions(): Promise<Session[]> {
    await this.#name();
    return lines(this.#raw.sessions(false));
  }

  async problems(): Promise<Problem[]> {
    const raw = await this.#answering();
    this.#problems.splice(0).forEach((id) => this.#release(id));
    const found = JSON.parse(raw.problems()) as { kind: Problem['kind']; count: number; flows?: number; id: number }[];
    const damage = this.damage.map(({ error }): Problem => ({ kind: 'damage', count: 1, message: error.message }));
    return [...damage, ...found.map(({ kind, count, flows, id: known }): Problem => {
      const id = this.#keep(known);
      this.#problems.push(id);
      const expr = kind === 'truncated' ? 'truncated' : '';
      const selection = { id, count, expr, packetCount: this.packetCount, packetsRead: 0 };
      return { kind, count, message: MEANING[kind], selection, ...(flows !== undefined && { flows }), ...(expr && { expr }) };
    })];
  }

  async flows({ sort = 'bytes', descending = true, from = 0, count = 100, selection }: FlowQuery = {}): Promise<FlowPage> {
    await this.#name();
    const text = (await this.#answering()).flows(sort, descending, from, count, this.#id(selection));
    if (text === undefined) throw new MirrorscopeError('SORT', `flows cannot be sorted by ${sort}`);
    return JSON.parse(text) as FlowPage;
  }

  async flowCounters(): Promise<FlowCounters | undefined> {
    const text = (await this.#answering()).flowCounters();
    return text === undefined ? undefined : (JSON.parse(text) as FlowCounters);
  }

  async follow(flow: number, { limit = FOLLOW_LEN, ...options }: { limit?: number } & ReadOptions = {}): Promise<FollowedStream> {
    const raw = await this.#answering();
    const visit = raw.visitFollow(flowNumber(flow), limit);
    const talkers = raw.talkers(flow);
    if (visit === undefined || talkers === undefined) throw new RangeError(`there is no flow ${flow}`);
    let octets: Uint8Array = new Uint8Array();
    const take = (): void => void (octets = this.#raw.takeFollowed());
    const found = JSON.parse((await this.#visit(visit, options, undefined, take)) ?? '{}') as { segments: RawSegment[]; truncated: boolean };
    let at = 0;
    const segments = found.segments.map(({ len, gapLen, timestampNs, ...segment }): StreamSegment => {
      const piece = { ...segment, timestampNs: BigInt(timestampNs) };
      if (len === 0) return { ...piece, gapLen };
      at += len;
      return { ...piece, bytes: octets.slice(at - len, at) };
    });
    return { ...(JSON.parse(talkers) as { client: string; server: string; protocol: string }), segments, truncated: found.truncated };
  }

  export(kind: ExportKind, { selection }: { selection?: Selection | undefined } = {}): ReadableStream<Uint8Array> {
    const id = this.#id(selection);
    return streamOf(kind === 'tcpdump' ? this.#tcpdump(selection) : this.#exported(kind, id));
  }

  async *#tcpdump(selection: Selection | undefined): AsyncGenerator<Uint8Array, void, void> {
    // With it comes the part that passes over captures.
    await this.#answering();
    yield* printed(this.export('pcapng', { selection }), { ...this.#pass(undefined, undefined, undefined), format: 'tcpdump' });
  }

  async *#exported(kind: ExportKind, selection: number): AsyncGenerator<Uint8Array, void, void> {
    await Promise.all([this.#name(), this.#answering()]);
    const table = { 'flows-csv': true, 'flows-jsonl': false, 'sessions-csv': true, 'sessions-jsonl': false }[kind as string];
    if (table !== undefined) {
      yield kind.startsWith('flows') ? this.#raw.printFlows(table, selection) : new TextEncoder().encode(table ? this.#raw.sessionsCsv() : this.#raw.sessions(false));
      return;
    }
    const visit = this.#raw.visitPrint(selection, kind, kind === 'csv');
    if (visit === undefined) throw new MirrorscopeError('FORMAT', `packets cannot be written as ${kind}`);
    try {
      for await (const _ of run(this.#visited(), visit)) {
        const octets = this.#raw.takePrinted(visit);
        if (octets.length > 0) yield octets;
      }
      const octets = this.#raw.takePrinted(visit);
      if (octets.length > 0) yield octets;
    } finally {
      if (!this.#disposed) this.#raw.endVisit(visit);
    }
  }

  async explain(json: AwsJson[], { selection, signal, onProgress }: { selection?: Selection | undefined } & ReadOptions = {}): Promise<AwsReport> {
    return explain(this.export('pcapng', { selection }), json, this.#pass(selection?.count, signal, onProgress));
  }

  async lint(json: AwsJson[]): Promise<AwsReport> {
    return lint(...json);
  }

  async suggest(goal: { drop: string } | { keep: string }, json: AwsJson[] = [], { signal, onProgress }: ReadOptions = {}): Promise<Suggestion> {
    return suggest(this.export('pcapng'), goal, json, this.#pass(undefined, signal, onProgress));
  }

  /** The options of a pass over packets of this capture, written as pcapng. */
  #pass(count: number | undefined, signal: AbortSignal | undefined, tell: ReadOptions['onProgress']): PassOptions {
    const { genevePorts, vxlanPorts } = this.#options;
    const totalPackets = count ?? this.packetCount - this.firstPacket;
    return {
      ...(genevePorts && { genevePorts }), ...(vxlanPorts && { vxlanPorts }), ...(signal && { signal }),
      ...(tell && { onProgress: ({ packets }) => tell({ packets, totalPackets }) }),
    };
  }

  async setNames(json: AwsJson[]): Promise<void> {
    this.#aws = json;
    this.#named = 0;
    await this.#name();
  }

  /** Gives names to the sessions that were seen since the last time. */
  async #name(): Promise<void> {
    if (this.#aws.length === 0 || this.#raw.sessionCount() === this.#named) return;
    const from = this.#named;
    const seen = lines<Session>(this.#raw.sessions(true));
    this.#named = seen.length;
    const names = await namesOf(seen.slice(from), this.#aws);
    if (!this.#disposed) names.forEach((name, at) => this.#raw.setName(from + at, name ?? ''));
  }

  async complete(text: string, cursor: number = text.length): Promise<Completion[]> {
    return JSON.parse((await this.#answering()).complete(text, cursor)) as Completion[];
  }

  async check(text: string): Promise<FilterError | undefined> {
    await this.#answering();
    return checkFilter(text);
  }

  async append(chunk: Uint8Array): Promise<void> {
    if (!this.#live) throw new MirrorscopeError('NOT_LIVE', 'only a live capture can be appended to', 'open it with { live: true }');
    const [raw, octets] = [this.#raw, asOctets(chunk)];
    this.#live.add(octets);
    this.#loader.push(0, octets);
    raw.step();
    this.#live.forget(raw.firstOffset());
    const fault = raw.damage(0);
    if (fault !== undefined && this.damage.length === 0) this.#loader.noteLive(fault);
    this.#options.onProgress?.({ bytes: this.#live.size, totalBytes: undefined, packets: this.packetCount, firstPacket: this.firstPacket, done: false });
  }

  #visited(): Visited {
    const raw = (): RawCapture => this.#raw;
    return { raw, memory: memory(), octets: this.#loader.octets };
  }

  /** Runs a visit to its end and returns what it found; `atEnd` is called before another visit can end. */
  async #visit(visit: number, options: ReadOptions = {}, total?: number, atEnd?: () => void): Promise<string | undefined> {
    let packets = 0;
    try {
      for await (const count of run(this.#visited(), visit, options.signal)) {
        packets += count;
        options.onProgress?.({ packets, totalPackets: total ?? this.packetCount });
      }
    } catch (error) {
      if (!this.#disposed) this.#raw.endVisit(visit);
      throw error;
    }
    const found = this.#raw.endVisit(visit);
    atEnd?.();
    return found;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#loader.stop();
    // Whoever is in the middle of reading must find its way out first.
    const free = (): void => this.#held.free();
    void this.loaded.then(free, free);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

type RawRow = Omit<Row, 'timestampNs'> & { timestampNs: string };
type RawSegment = Omit<StreamSegment, 'timestampNs' | 'bytes' | 'gapLen'> & { timestampNs: string; len: number; gapLen: number };

function row({ timestampNs, src = '', dst = '', srcPort, dstPort, flow, ...rest }: RawRow): Row {
  return { ...rest, timestampNs: BigInt(timestampNs), src, dst, srcPort, dstPort, flow };
}

const MEANING: Record<Problem['kind'], string> = {
  damage: 'the capture could not be read further',
  truncated: 'octets are missing: cut by the capture or by the packet length of the mirror session',
  undecodable: 'a header could not be read',
  duplicate: 'another session had mirrored the same packet before',
  'one-sided': 'only one direction of the flow was mirrored',
  loss: 'octets were acknowledged and never seen: lost by the mirror or by the capture',
  fragment: 'a piece of a fragmented IP packet: later pieces have no ports',
  'unknown-option': 'a Geneve option that Gateway Load Balancer is not known to send',
  clock: 'a time before that of the packet before',
  retransmission: 'a TCP segment with octets that were sent before',
};

/** What the module answered; nothing where a live capture forgot the packet meanwhile. */
function there<T>(answer: T | undefined): T {
  if (answer === undefined) throw changed();
  return answer;
}

/** A number that the module would take for that of another flow is none. */
function flowNumber(flow: number): number {
  if (flow !== flow >>> 0) throw new RangeError(`there is no flow ${flow}`);
  return flow;
}

function filterError(text: string): FilterError {
  return new FilterError(JSON.parse(text) as ConstructorParameters<typeof FilterError>[0]);
}

function lines<T>(text: string): T[] {
  return text === '' ? [] : (JSON.parse(`[${text.trimEnd().replaceAll('\n', ',')}]`) as T[]);
}
