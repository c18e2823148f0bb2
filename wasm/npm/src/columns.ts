/** A batch of packets as columns: typed arrays in Arrow's layout, in the module's memory or copied out of it. */
import { memory } from './module.js';
import type { SessionId } from './types.js';

/** The columns in the order in which the module lists their addresses. */
const COLUMNS = {
  number: Uint32Array,
  timestampNs: BigInt64Array,
  timestampMs: Float64Array,
  offset: Float64Array,
  capturedLen: Uint32Array,
  originalLen: Uint32Array,
  subjectLen: Uint32Array,
  subjectOffset: Uint32Array,
  interface: Uint32Array,
  session: Uint32Array,
  vni: Uint32Array,
  flowCookie: Uint32Array,
  flags: Uint16Array,
  srcPort: Uint16Array,
  dstPort: Uint16Array,
  linkType: Uint16Array,
  protocol: Uint8Array,
  tcpFlags: Uint8Array,
  src: Uint8Array,
  dst: Uint8Array,
} as const;

/** Octets of an address in the columns `src` and `dst`. */
const ADDRESS_LEN = 16;

/** The name of a column. */
export type ColumnName = keyof typeof COLUMNS;

/** The typed arrays of a batch. */
export type Columns = { [Name in ColumnName]: InstanceType<(typeof COLUMNS)[Name]> };

const NAMES = Object.keys(COLUMNS) as ColumnName[];

/** Bits of the column `flags`. */
export const Flag = {
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
  /** `src`, `dst` and `protocol` are those of an IPv4 packet. */
  ipv4: 32,
  /** `src`, `dst` and `protocol` are those of an IPv6 packet. */
  ipv6: 64,
  /** `srcPort` and `dstPort` were read. */
  ports: 128,
} as const;

/**
 * Packets as columns; row `i` of every column is one packet. Addresses, ports, protocol and TCP flags are those of the
 * mirrored packet.
 */
export class Batch {
  /** Packets in this batch. */
  readonly length: number;
  /** The sessions seen so far; the column `session` is an index into it. */
  readonly sessions: readonly SessionId[];
  /** The typed arrays. */
  readonly columns: Columns;

  constructor(length: number, columns: Columns, sessions: readonly SessionId[]) {
    this.length = length;
    this.columns = columns;
    this.sessions = sessions;
  }

  /** Position in the capture, counted from 1. */
  declare readonly number: Uint32Array;
  /** Nanoseconds since 1970. */
  declare readonly timestampNs: BigInt64Array;
  /** The same in milliseconds, as `Date` counts, exact to a quarter of a microsecond. */
  declare readonly timestampMs: Float64Array;
  /** Octet of the uncompressed capture at which the packet's data begins. */
  declare readonly offset: Float64Array;
  /** Octets captured. */
  declare readonly capturedLen: Uint32Array;
  /** Octets on the wire, tunnels included. */
  declare readonly originalLen: Uint32Array;
  /** Octets of the mirrored frame on the wire. */
  declare readonly subjectLen: Uint32Array;
  /** Octet of the packet's data at which the mirrored frame begins. */
  declare readonly subjectOffset: Uint32Array;
  /** Interface of the capture file, counted from 0. */
  declare readonly interface: Uint32Array;
  /** Index into `sessions`. */
  declare readonly session: Uint32Array;
  /** VXLAN network identifier of the mirror session; 0 without one, as `flags` tells. */
  declare readonly vni: Uint32Array;
  /** GWLB's flow cookie; 0 without one. */
  declare readonly flowCookie: Uint32Array;
  /** Bits of `Flag`. */
  declare readonly flags: Uint16Array;
  declare readonly srcPort: Uint16Array;
  declare readonly dstPort: Uint16Array;
  /** Number of <https://www.tcpdump.org/linktypes.html>. */
  declare readonly linkType: Uint16Array;
  /** IP protocol number. */
  declare readonly protocol: Uint8Array;
  declare readonly tcpFlags: Uint8Array;
  /** Source addresses, 16 octets each; IPv4 lies in `::ffff:0:0/96`. */
  declare readonly src: Uint8Array;
  /** Destination addresses, as `src`. */
  declare readonly dst: Uint8Array;

  /** The source address of a row as text; empty where the packet is not IP. */
  srcAddress(row: number): string {
    return this.#address(this.columns.src, row);
  }

  /** The destination address of a row as text; empty where the packet is not IP. */
  dstAddress(row: number): string {
    return this.#address(this.columns.dst, row);
  }

  #address(column: Uint8Array, row: number): string {
    const flags = this.columns.flags[row] ?? 0;
    const at = row * ADDRESS_LEN;
    if (flags & Flag.ipv4) return column.subarray(at + 12, at + ADDRESS_LEN).join('.');
    return flags & Flag.ipv6 ? ipv6(column.subarray(at, at + ADDRESS_LEN)) : '';
  }

  /** A batch of its own memory, which may be kept and transferred. */
  copy(): Batch {
    const columns = Object.fromEntries(NAMES.map((name) => [name, this.columns[name].slice()]));
    return new Batch(this.length, columns as Columns, this.sessions);
  }

  /** The buffers to transfer with `postMessage`; only those of a copy can be. */
  buffers(): ArrayBuffer[] {
    return NAMES.map((name) => this.columns[name].buffer as ArrayBuffer);
  }
}

/** As RFC 5952 writes it, which is how addresses stand in URLs; there, none ends as one of IPv4. */
function ipv6(octets: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, at) => (((octets[2 * at] ?? 0) << 8) | (octets[2 * at + 1] ?? 0)).toString(16)).join(':');
  if (groups.startsWith('0:0:0:0:0:ffff:')) return `::ffff:${octets.subarray(12).join('.')}`;
  return new URL(`http://[${groups}]`).hostname.slice(1, -1);
}

for (const name of NAMES) {
  Object.defineProperty(Batch.prototype, name, { get(this: Batch) { return this.columns[name]; } });
}

/** Views of the module's columns: good until the decoder goes on or the module's memory grows. */
export function view(addresses: Uint32Array, length: number, sessions: readonly SessionId[]): Batch {
  const { buffer } = memory();
  const columns = Object.fromEntries(
    NAMES.map((name, index) => {
      const cells = name === 'src' || name === 'dst' ? length * ADDRESS_LEN : length;
      return [name, new COLUMNS[name](buffer, addresses[index], cells)];
    }),
  );
  return new Batch(length, columns as Columns, sessions);
}
