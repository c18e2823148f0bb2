/** What the page asks of the decoder. The only file that knows the package `mirrorscope`. */
import { startMock } from './mock.js';

/** A name and octets. */
export interface Source {
  name: string;
  blob: Blob;
}

export interface Progress {
  bytes: number;
  totalBytes?: number;
  packets: number;
}

/** Damage of a source; every packet before it is kept. */
export interface Damage {
  source?: string;
  message: string;
  hint?: string;
  offset: number;
  packets: number;
}

export interface Selection {
  id: number;
  count: number;
  expr: string;
}

export interface Row {
  /** From 0, in time order; what everything else calls the packet by. */
  index: number;
  /** From 1, as Wireshark counts. */
  number: number;
  timestampNs: bigint;
  /** Index into the overview's sessions. */
  session: number;
  src: string;
  dst: string;
  protocol: string;
  length: number;
  info: string;
  flags: number;
  flow: number;
}

/** Bits of `Row.flags`. */
export const FLAG = { truncated: 1, duplicate: 2, undecodable: 4, inline: 8, retransmission: 16 } as const;

export interface Field {
  key: string;
  label: string;
  value?: number | boolean | string;
  offset: number;
  len: number;
  meaning?: string;
  children?: Field[];
}

export interface Layer {
  key: string;
  name: string;
  offset: number;
  headerLen: number;
  end: number;
  capturedEnd: number;
  complete: boolean;
  fields: Field[];
}

export interface PacketTree {
  /** Index of the mirrored packet's first layer. */
  subject: number;
  layers: Layer[];
  error?: { layer: string; offset: number; message: string };
}

export interface Timeline {
  startNs: bigint;
  endNs: bigint;
  sessions: number[];
  /** By session, then bin. */
  packets: Uint32Array[];
  bytes: Float64Array[];
}

export interface Session {
  kind: string;
  endpoint?: string;
  vni?: number;
  source?: string;
  name?: string;
  packets: number;
  bytes: number;
  first: string;
  last: string;
  truncated: number;
  undecodable: number;
  duplicates?: number;
  lostBytes?: number;
}

export interface Counted {
  name: string;
  packets: number;
  bytes: number;
}

export interface Overview {
  packets: number;
  bytes: number;
  firstNs: bigint;
  lastNs: bigint;
  sessions: Session[];
  protocols: Counted[];
  talkers: Counted[];
  ports: Counted[];
  hosts: { name: string; kind: 'dns' | 'tls' | 'http'; packets: number }[];
  /** Packets by length: up to `upTo` octets. */
  sizes: { upTo: number; packets: number }[];
  inline: { packets: number; bytes: number };
  undecodable: { packets: number; bytes: number };
}

export interface Way {
  packets: number;
  bytes: number;
  payload_bytes: number;
  duplicates: number;
  truncated: number;
  flags?: string;
  retransmissions?: number;
  out_of_order?: number;
  zero_windows?: number;
  gap_bytes?: number;
}

/** As flow.schema.json tells it. */
export interface Flow {
  id: number;
  kind: string;
  mirror?: { endpoint?: string; vni?: number; source?: string; name?: string };
  also_seen_by?: { endpoint?: string; vni?: number; source?: string; name?: string }[];
  protocol: string;
  client: string;
  client_port?: number;
  server: string;
  server_port?: number;
  service?: string;
  sni?: string;
  http_host?: string;
  dns_name?: string;
  state?: string;
  end?: string;
  first: string;
  last: string;
  handshake_rtt_ns?: number;
  server_rtt_ns?: number;
  response_mean_ns?: number;
  response_max_ns?: number;
  sent: Way;
  received: Way;
}

export type FlowSort = 'bytes' | 'packets' | 'duration' | 'first' | 'last' | 'rtt' | 'response' | 'retransmissions' | 'loss' | 'duplicates';

export interface Segment {
  direction: 'forward' | 'backward';
  offset: number;
  packet: number;
  bytes?: Uint8Array;
  gapLen?: number;
}

export interface Problem {
  kind: string;
  count: number;
  /** The filter that shows the packets, where one exists. */
  expr?: string;
}

export interface Completion {
  text: string;
  kind: string;
  from: number;
  to: number;
  detail: string;
}

export interface AwsReport {
  report: Record<string, unknown>;
  text: string;
}

export interface Suggestion extends AwsReport {
  exact: boolean;
  cli: string;
  json: string;
  cloudformation: string;
}

export type AwsJson = string;
export type ExportKind = 'inner-pcapng' | 'pcapng' | 'csv' | 'jsonl' | 'text' | 'tcpdump' | 'flows-csv' | 'flows-jsonl';

export interface SelectOptions {
  fromNs?: bigint;
  toNs?: bigint;
  signal?: AbortSignal;
}

/** A fault of a filter: where, and what was perhaps meant. */
export interface FilterFault {
  message: string;
  from: number;
  to: number;
  suggestion?: string;
}

export interface Capture {
  readonly loaded: Promise<void>;
  readonly packetCount: number;
  readonly damage: readonly Damage[];
  stop(): void;
  select(expr: string, options?: SelectOptions): Promise<Selection>;
  rows(ask: { selection?: Selection; from: number; count: number }): Promise<Row[]>;
  indexOf(selection: Selection | undefined, packet: number): Promise<number>;
  packet(index: number): Promise<PacketTree>;
  bytes(index: number): Promise<Uint8Array>;
  text(index: number, kind: 'tcpdump' | 'text' | 'jsonl'): Promise<string>;
  timeline(ask: { bins: number; selection?: Selection }): Promise<Timeline>;
  overview(ask: { selection?: Selection }): Promise<Overview>;
  flows(ask: { sort: FlowSort; descending: boolean; from: number; count: number; selection?: Selection }): Promise<{ total: number; rows: Flow[] }>;
  flowPackets(id: number): Promise<Selection>;
  follow(id: number, options: { limit: number }): Promise<{ segments: Segment[]; truncated: boolean }>;
  problems(): Promise<Problem[]>;
  export(kind: ExportKind, options: { selection?: Selection }): ReadableStream<Uint8Array>;
  explain(json: AwsJson[]): Promise<AwsReport>;
  lint(json: AwsJson[]): Promise<AwsReport>;
  suggest(goal: { keep: string } | { drop: string }, json: AwsJson[]): Promise<Suggestion>;
  complete(text: string, cursor: number): Promise<Completion[]>;
  append(chunk: Uint8Array): Promise<void>;
  dispose(): void;
}

export interface OpenOptions {
  aws?: AwsJson[];
  onProgress?: (progress: Progress) => void;
  live?: boolean;
  maxPackets?: number;
}

export interface Engine {
  open(sources: Source[], options: OpenOptions): Capture;
}

/** Starts the worker; once a page. */
export function start(): Promise<Engine> {
  return startMock();
}

/** The fault that `error` tells of, if it is a filter's. */
export function filterFault(error: unknown): FilterFault | undefined {
  const fault = error as Partial<FilterFault>;
  return typeof fault?.from === 'number' && typeof fault.to === 'number' ? (fault as FilterFault) : undefined;
}
