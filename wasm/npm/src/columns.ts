/** A batch of packets as columns: typed arrays in Arrow's layout, in the module's memory or copied out of it. */
import { memory } from './module.js';
import { ready } from './runtime.js';
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
  get number(): Uint32Array { return this.columns.number; }
  /** Nanoseconds since 1970. */
  get timestampNs(): BigInt64Array { return this.columns.timestampNs; }
  /** The same in milliseconds, as `Date` counts, exact to a quarter of a microsecond. */
  get timestampMs(): Float64Array { return this.columns.timestampMs; }
  /** Octet of the uncompressed capture at which the packet's data begins. */
  get offset(): Float64Array { return this.columns.offset; }
  /** Octets captured. */
  get capturedLen(): Uint32Array { return this.columns.capturedLen; }
  /** Octets on the wire, tunnels included. */
  get originalLen(): Uint32Array { return this.columns.originalLen; }
  /** Octets of the mirrored frame on the wire. */
  get subjectLen(): Uint32Array { return this.columns.subjectLen; }
  /** Octet of the packet's data at which the mirrored frame begins. */
  get subjectOffset(): Uint32Array { return this.columns.subjectOffset; }
  /** Interface of the capture file, counted from 0. */
  get interface(): Uint32Array { return this.columns.interface; }
  /** Index into `sessions`. */
  get session(): Uint32Array { return this.columns.session; }
  /** VXLAN network identifier of the mirror session; 0 without one, as `flags` tells. */
  get vni(): Uint32Array { return this.columns.vni; }
  /** GWLB's flow cookie; 0 without one. */
  get flowCookie(): Uint32Array { return this.columns.flowCookie; }
  /** Bits of `Flag`. */
  get flags(): Uint16Array { return this.columns.flags; }
  get srcPort(): Uint16Array { return this.columns.srcPort; }
  get dstPort(): Uint16Array { return this.columns.dstPort; }
  /** Number of <https://www.tcpdump.org/linktypes.html>. */
  get linkType(): Uint16Array { return this.columns.linkType; }
  /** IP protocol number. */
  get protocol(): Uint8Array { return this.columns.protocol; }
  get tcpFlags(): Uint8Array { return this.columns.tcpFlags; }
  /** Source addresses, 16 octets each; IPv4 lies in `::ffff:0:0/96`. */
  get src(): Uint8Array { return this.columns.src; }
  /** Destination addresses, as `src`. */
  get dst(): Uint8Array { return this.columns.dst; }

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
    return flags & Flag.ipv6 ? ready().formatAddress(column.subarray(at, at + ADDRESS_LEN)) : '';
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
