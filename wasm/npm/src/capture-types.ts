/** What an opened capture answers: the same for `Capture` here and for the capture of a worker. */
import type { AwsJson, AwsReport, Suggestion } from './aws.js';
import type { CaptureError, FilterError, MirrorscopeError } from './errors.js';
import type { Completion, Flow, FlowCounters, FlowOptions, PacketTree, Progress, Session } from './types.js';

/** Octets of the index for each packet, its flow's number included; flows lie in a table bounded by `maxFlows`. */
export const INDEX_BYTES_PER_PACKET = 45;

/** How a capture is opened. */
export interface CaptureOptions {
  /** UDP ports of Geneve; 6081 alone if not given. */
  genevePorts?: readonly number[];
  /** UDP ports of VXLAN; 4789 alone if not given. */
  vxlanPorts?: readonly number[];
  /** How flows are gathered; `false` for not at all. */
  flows?: boolean | FlowOptions;
  /** What the AWS CLI printed: it gives mirror sources their names. */
  aws?: AwsJson[];
  /** Octets of a stream or of a compressed capture, uncompressed, that are kept to be read again; 1 GiB if not given. */
  maxKeptBytes?: number;
  /** Packets in the index at most; loading stops there with `damage`. All that the memory holds if not given. */
  maxPackets?: number;
  /** Fed by `append` instead of sources; of the packets the last `maxPackets` are kept (100,000 if not given). */
  live?: boolean;
  onProgress?: (progress: CaptureProgress) => void;
}

/** How far a capture is loaded. */
export interface CaptureProgress extends Progress {
  /** The first packet that is still there: 0, but for a live capture that has forgotten some. */
  firstPacket: number;
  /** Whether loading has ended: at the end of the sources, at damage, or because of `stop()`. */
  done: boolean;
}

/** How a question that reads packets again runs. */
export interface ReadOptions {
  signal?: AbortSignal;
  onProgress?: (progress: { packets: number; totalPackets: number }) => void;
}

/** How packets are chosen. */
export interface SelectOptions extends ReadOptions {
  fromNs?: bigint | undefined;
  toNs?: bigint | undefined;
  /** Only packets that are in this selection too. */
  within?: Selection | undefined;
}

/** Some packets of a capture. It stays valid, but does not grow, while more packets come. */
export interface Selection {
  readonly id: number;
  readonly count: number;
  readonly expr: string;
  /** Packets of the capture when it was made. */
  readonly packetCount: number;
  /** Packets whose octets had to be read; 0 where the index alone answered. */
  readonly packetsRead: number;
}

/** A row of the packet table. */
export interface Row {
  /** Index of the packet in the capture, counted from 0. */
  index: number;
  /** Position in the capture, counted from 1. */
  number: number;
  timestampNs: bigint;
  /** Index into `sessionsSeen()`. */
  session: number;
  /** Source of the mirrored packet, or of the tunnelled one inside it; empty where it is not IP. */
  src: string;
  srcPort: number | undefined;
  dst: string;
  dstPort: number | undefined;
  /** As in the native program: `TCP`, `ARP`, … */
  protocol: string;
  /** Octets of the mirrored packet on the wire. */
  length: number;
  /** What the native program prints behind the protocol, VLAN tags and inner tunnels before it. */
  info: string;
  /** Bits of `RowFlag`. */
  flags: number;
  /** Id of its flow. */
  flow: number | undefined;
  /** Why the octets could not be read again; `info` is empty then. */
  error?: string;
}

/** Bits of `Row.flags`. */
export const RowFlag = {
  /** A copy made by a mirror session. */
  mirrored: 1,
  /** The packet itself, routed through a GWLB endpoint. */
  inline: 2,
  /** Octets that were on the wire are missing. */
  truncated: 4,
  /** A header could not be read. */
  undecodable: 8,
  /** An IP fragment, the first or a later one. */
  fragment: 16,
  /** Another session had mirrored the same packet before. */
  duplicate: 32,
  /** A Geneve option that is none of GWLB's. */
  unknownOption: 64,
  /** Its time lies before that of the packet before it. */
  clockBack: 128,
  /** A TCP segment with octets that were sent before; copies by other sessions are none. */
  retransmission: 256,
} as const;

/** Packets over time, in bins of equal length. */
export interface Timeline {
  startNs: bigint;
  endNs: bigint;
  /** Indices into `sessionsSeen()`, one for each of the arrays below; -1 for the sessions beyond the 32 busiest. */
  sessions: number[];
  packets: Uint32Array[];
  bytes: Float64Array[];
}

/** How many, and how many octets on the wire. */
export interface Share {
  packets: number;
  bytes: number;
}

/** A session with what its flows tell. */
export interface SessionOverview extends Session {
  /** Index into `sessionsSeen()`. */
  index: number;
  /** Copies of packets that another session had mirrored before. */
  duplicates: number;
  /** Packets of flows of which only one direction was mirrored. */
  oneSided: number;
  /** Octets that were acknowledged and never seen, of the flows that this session showed first. */
  gapBytes: number;
}

/** What is in a capture, or in a selection of it. */
export interface Overview extends Share {
  firstNs: bigint;
  lastNs: bigint;
  sessions: SessionOverview[];
  protocols: (Share & { name: string })[];
  /** Addresses of the mirrored packets, both directions, the busiest first. */
  talkers: (Share & { address: string; name?: string })[];
  /** Ports of the side that serves. */
  ports: (Share & { protocol: string; port: number; service?: string })[];
  /** Names that clients asked for. */
  hosts: { name: string; kind: 'dns' | 'tls' | 'http'; packets: number; flows: number }[];
  /** Packets whose mirrored packet has at least `from` octets and fewer than the next row's `from`. */
  sizes: (Share & { from: number })[];
  inline: Share;
  undecodable: Share;
  truncated: Share;
  duplicates: Share;
  flows: FlowCounters | undefined;
}

/** What flows can be sorted by. */
export type FlowSort = NonNullable<FlowOptions['sort']>;

/** Which flows. */
export interface FlowQuery {
  /** `bytes` if not given. */
  sort?: FlowSort;
  /** The greatest first, and the earliest for `first`: `true` if not given. */
  descending?: boolean;
  from?: number;
  /** 100 if not given. */
  count?: number;
  /** Only flows with a packet in the selection. */
  selection?: Selection | undefined;
}

/** Flows of a capture. */
export interface FlowPage {
  /** Flows that the query chooses. */
  total: number;
  /** Flows that ended and were not kept, because there were more than `FlowOptions.top`. */
  leftOut: number;
  rows: (Flow & { id: number })[];
}

/** One piece of what one side of a flow sent. */
export interface StreamSegment {
  direction: 'forward' | 'backward';
  /** Octet of its direction at which the piece begins. */
  offset: number;
  bytes?: Uint8Array;
  /** Octets that are missing here instead: lost by the mirror, cut by it, or not captured. */
  gapLen?: number;
  /** The packet that brought it. */
  packet: number;
  timestampNs: bigint;
}

/** The payload of a flow, each octet once, in the order in which it was sent. */
export interface FollowedStream {
  /** Addresses and ports of who is `forward`: the client. */
  client: string;
  server: string;
  protocol: string;
  segments: StreamSegment[];
  /** Whether there is more than was asked for. */
  truncated: boolean;
}

/** Something that an engineer should know. */
export interface Problem {
  kind: 'damage' | 'truncated' | 'undecodable' | 'duplicate' | 'one-sided' | 'loss' | 'fragment' | 'unknown-option' | 'clock' | 'retransmission';
  /** Packets; flows where `flows` says so; one for damage. */
  count: number;
  flows?: number;
  /** Selects the packets; none for damage. */
  selection?: Selection;
  /** A filter that selects the same, where the language has one. */
  expr?: string;
  message: string;
}

/** What a capture can be written as. */
export type ExportKind =
  | 'inner-pcapng'
  | 'pcapng'
  | 'csv'
  | 'jsonl'
  | 'text'
  | 'tcpdump'
  | 'flows-csv'
  | 'flows-jsonl'
  | 'sessions-csv'
  | 'sessions-jsonl';

/** Where a capture could not be read further. */
export interface Damage {
  error: CaptureError | MirrorscopeError;
  /** Index of the source, counted from 0. */
  source: number;
  sourceName: string | undefined;
}

/** A capture that is open, perhaps still loading. Give it back with `dispose()` or `using`. */
export interface CaptureApi {
  /** Packets so far, counting those that a live capture has forgotten. */
  readonly packetCount: number;
  /** The first packet that is still there: 0, but for a live capture. */
  readonly firstPacket: number;
  /** Where sources could not be read further; empty if they could. */
  readonly damage: readonly Damage[];
  /** Resolves when loading has ended: at the end, at damage, or after `stop()`. Never rejects. */
  readonly loaded: Promise<void>;
  /** Ends loading and keeps what is there. */
  stop(): void;

  /**
   * Chooses packets by a filter, perhaps only of another selection, or between two times, both included; an empty
   * filter chooses all. Rejects with a `FilterError`, or with the signal's reason.
   */
  select(expr: string, options?: SelectOptions): Promise<Selection>;
  /** Chooses packets between two times, both included, perhaps of a selection. */
  selectTime(fromNs: bigint, toNs: bigint, selection?: Selection): Promise<Selection>;
  /** Forgets a selection. */
  release(selection: Selection): void;
  /** Up to 200 rows of the packet table: `from` counts in the selection, or in the capture. */
  rows(query: { selection?: Selection | undefined; from: number; count: number }): Promise<Row[]>;
  /** The place of a packet in a selection: of itself, or of the next one. */
  indexOf(selection: Selection, packet: number): Promise<number>;
  /** The octets of a packet, counted from 0. */
  bytes(packet: number): Promise<Uint8Array>;
  /** Its layers with every field and the octets that it covers. */
  packet(packet: number): Promise<PacketTree>;
  /** What the native program prints of it. */
  text(packet: number, format?: 'text' | 'tcpdump' | 'jsonl'): Promise<string>;

  timeline(query: { bins: number; fromNs?: bigint; toNs?: bigint; selection?: Selection | undefined }): Promise<Timeline>;
  overview(query?: { selection?: Selection | undefined }): Promise<Overview>;
  /** The sessions in the order in which they were first seen, which `Row.session` counts. */
  sessionsSeen(): Promise<Session[]>;
  /** The session table, as the native program sorts it. */
  sessions(): Promise<Session[]>;
  /** What an engineer should know. The selections are good until the next call. */
  problems(): Promise<Problem[]>;

  flows(query?: FlowQuery): Promise<FlowPage>;
  flowCounters(): Promise<FlowCounters | undefined>;
  /** The packets of a flow, copies by other sessions included. */
  flowPackets(flow: number): Promise<Selection>;
  /** What was said in a flow; at most `limit` octets (1 MiB if not given). */
  follow(flow: number, options?: { limit?: number } & ReadOptions): Promise<FollowedStream>;

  /** Everything, or what is selected, as a file. */
  export(kind: ExportKind, query?: { selection?: Selection | undefined }): ReadableStream<Uint8Array>;

  /** Which rule of which mirror filter the packets match; of all packets, or of a selection. */
  explain(json: AwsJson[], options?: { selection?: Selection | undefined } & ReadOptions): Promise<AwsReport>;
  lint(json: AwsJson[]): Promise<AwsReport>;
  /** The smallest mirror filter that drops or keeps what an expression chooses. */
  suggest(goal: { drop: string } | { keep: string }, json?: AwsJson[], options?: ReadOptions): Promise<Suggestion>;
  /** Calls mirror sources by the names of this inventory from now on. */
  setNames(json: AwsJson[]): Promise<void>;

  /** What could be written in a filter at `cursor`, with values of this capture. */
  complete(text: string, cursor?: number): Promise<Completion[]>;
  /** What is wrong with a filter. */
  check(text: string): Promise<FilterError | undefined>;

  /** Feeds a live capture with the next octets of pcapng or pcap, however they were cut. */
  append(chunk: Uint8Array): Promise<void>;
  dispose(): void;
  [Symbol.dispose](): void;
}
