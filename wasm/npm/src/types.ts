/** The shapes of what is handed out. Objects have the members that the native program prints as JSON. */

/** What a row of the session table counts. */
export interface SessionId {
  kind: 'mirrored' | 'mirrored (further sessions)' | 'inline' | 'other';
  /** `vpce-…` */
  endpoint?: string;
  vni?: number;
  /** Address of the interface that mirrored. */
  source?: string;
  /** From the AWS JSON, where it was given. */
  name?: string;
}

/** A row of the session table. Times are RFC 3339 with nanoseconds. */
export interface Session extends SessionId {
  packets: number;
  bytes: number;
  first: string;
  last: string;
  truncated: number;
  undecodable: number;
}

/** A flow as `mirrorscope flows --json` prints it. */
export interface Flow {
  [member: string]: unknown;
}

/** What the flow table counted. */
export interface FlowCounters {
  packets: number;
  bytes: number;
  not_ip: number;
  duplicates: number;
  orphans: number;
  flows: number;
  joined: number;
  evicted: number;
}

/** One field of a header and the octets that it covers. */
export interface Field {
  /** Stable name, such as `ip.ttl`. */
  key: string;
  /** Name for people. */
  label: string;
  /** Numbers up to 2^53 as numbers, everything else as text; missing for a group. */
  value?: number | boolean | string;
  /** First octet in the packet's data. */
  offset: number;
  len: number;
  meaning?: string;
  children?: Field[];
}

/** One layer of a packet. All positions are octets of the packet's data. */
export interface Layer {
  /** As in Wireshark's `frame.protocols`. */
  key: string;
  name: string;
  offset: number;
  headerLen: number;
  /** Where the layer ends by the lengths in the headers; may lie beyond what was captured. */
  end: number;
  capturedEnd: number;
  /** Whether the header was read whole. */
  complete: boolean;
  fields: Field[];
}

/** The layers of one packet, outermost first. */
export interface PacketTree {
  /** Index in `layers` of the first one of the mirrored packet. */
  subject: number;
  layers: Layer[];
  /** Why the walk ended early, if it did. */
  error?: { layer: string; offset: number; needed: number; had: number; message: string };
}

/** Something that could be written in a filter. */
export interface Completion {
  text: string;
  kind: 'tunnel' | 'protocol' | 'keyword' | 'operator' | 'constant' | 'value';
  /** The characters that it replaces. */
  from: number;
  to: number;
  detail: string;
}

/** How far a pass has come. */
export interface Progress {
  /** Octets of the source read so far. */
  bytes: number;
  /** Octets of the source, where that is known. */
  totalBytes: number | undefined;
  /** Packets decoded so far. */
  packets: number;
}

/** How to decode. */
export interface DecodeOptions {
  /** tcpdump's filter language on the mirrored packet, with `vni`, `endpoint`, `source` and more. */
  filter?: string;
  /** Packets to pass over first. */
  skip?: number;
  /** Packets to take at most, counted behind the filter. */
  count?: number;
  /** UDP ports of Geneve; 6081 alone if not given. */
  genevePorts?: readonly number[];
  /** UDP ports of VXLAN; 4789 alone if not given. */
  vxlanPorts?: readonly number[];
  /** Gathers flows as well. */
  flows?: boolean | FlowOptions;
}

/** How to gather flows; times are seconds, 0 for never. */
export interface FlowOptions {
  /** Flows in memory at a time (262,144). */
  maxFlows?: number;
  /** Flows to report at most; the rest is counted only. */
  top?: number;
  tcpTimeout?: number;
  timeout?: number;
  keepDuplicates?: boolean;
  sort?: 'bytes' | 'packets' | 'duration' | 'first' | 'last' | 'rtt' | 'response' | 'retransmissions' | 'loss' | 'duplicates';
}

/** How a pass over a source runs. */
export interface PassOptions extends DecodeOptions {
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

/** What packets are printed as. */
export type PrintFormat = 'jsonl' | 'text' | 'tcpdump' | 'inner-pcapng' | 'pcapng';

/** How packets are printed. */
export interface PrintOptions extends PassOptions {
  /** `jsonl` if not given. */
  format?: PrintFormat;
  /** tcpdump's number of `-t`: 1 none, 2 since 1970, 3 since the previous packet, 4 date and time, 5 since the first. */
  time?: 1 | 2 | 3 | 4 | 5;
  nanoseconds?: boolean;
  /** Local time instead of UTC. */
  local?: boolean;
  colour?: boolean;
  number?: boolean;
  /** Every field of every layer. */
  verbose?: boolean;
  /** Octets: 1 of the mirrored packet, 2 of the whole record. */
  hex?: 0 | 1 | 2;
}
