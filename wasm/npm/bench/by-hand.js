/**
 * What a JavaScript programmer would write by hand for the same columns: a `DataView` and the usual headers alone.
 * No VLAN tags, no IP options behind IPv6, no errors, no filter, no sessions: a yardstick, not a decoder.
 */

const IPV4 = 0x0800;
const TCP = 6;
const UDP = 17;
/** Packets of a batch, as the package's. */
const BATCH_LEN = 8192;

/** Decodes pcap in chunks of any length; `onBatch` is called with the number of rows. */
export class ByHand {
  packets = 0;
  #rows = 0;
  #rest = new Uint8Array();
  #began = false;
  #onBatch;
  columns = {
    timestampNs: new BigInt64Array(BATCH_LEN), timestampMs: new Float64Array(BATCH_LEN), offset: new Float64Array(BATCH_LEN),
    number: new Uint32Array(BATCH_LEN), capturedLen: new Uint32Array(BATCH_LEN), originalLen: new Uint32Array(BATCH_LEN),
    subjectLen: new Uint32Array(BATCH_LEN), subjectOffset: new Uint32Array(BATCH_LEN), vni: new Uint32Array(BATCH_LEN),
    flowCookie: new Uint32Array(BATCH_LEN), srcPort: new Uint16Array(BATCH_LEN), dstPort: new Uint16Array(BATCH_LEN),
    protocol: new Uint8Array(BATCH_LEN), tcpFlags: new Uint8Array(BATCH_LEN),
    src: new Uint8Array(BATCH_LEN * 16), dst: new Uint8Array(BATCH_LEN * 16),
  };
  #offset = 0;

  constructor(onBatch) {
    this.#onBatch = onBatch;
  }

  push(chunk) {
    let octets = chunk;
    if (this.#rest.length > 0) {
      octets = new Uint8Array(this.#rest.length + chunk.length);
      octets.set(this.#rest);
      octets.set(chunk, this.#rest.length);
    }
    const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
    let at = 0;
    if (!this.#began && octets.length >= 24) {
      this.#began = true;
      at = 24;
    }
    while (at + 16 <= octets.length) {
      const length = view.getUint32(at + 8, true);
      if (at + 16 + length > octets.length) break;
      this.#record(view, octets, at, length);
      at += 16 + length;
    }
    this.#offset += at;
    this.#rest = octets.slice(at);
  }

  finish() {
    if (this.#rows > 0) this.#onBatch(this.#rows);
    this.#rows = 0;
  }

  #record(view, octets, at, length) {
    const row = this.#rows;
    const columns = this.columns;
    const [seconds, nanoseconds] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    columns.timestampNs[row] = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
    columns.timestampMs[row] = seconds * 1e3 + nanoseconds / 1e6;
    columns.number[row] = this.packets += 1;
    columns.offset[row] = this.#offset + at + 16;
    columns.capturedLen[row] = length;
    columns.originalLen[row] = view.getUint32(at + 12, true);
    this.#frame(view, octets, at + 16, at + 16 + length, row);
    this.#rows += 1;
    if (this.#rows === BATCH_LEN) this.finish();
  }

  #frame(view, octets, start, end, row) {
    const columns = this.columns;
    columns.vni[row] = columns.flowCookie[row] = 0;
    let at = start;
    for (;;) {
      columns.subjectOffset[row] = at - start;
      columns.subjectLen[row] = columns.originalLen[row] - (at - start);
      const inner = this.#ip(view, octets, at, end, row);
      if (inner < 0) return;
      at = inner;
    }
  }

  /** One frame or packet; where the next one inside begins, or -1. */
  #ip(view, octets, frame, end, row) {
    const columns = this.columns;
    let ip = frame;
    if (view.getUint8(frame) >> 4 !== 4 || view.getUint16(frame + 12) === IPV4) {
      if (frame + 34 > end || view.getUint16(frame + 12) !== IPV4) return -1;
      ip = frame + 14;
    }
    const transport = ip + (view.getUint8(ip) & 15) * 4;
    const protocol = view.getUint8(ip + 9);
    columns.protocol[row] = protocol;
    mapped(columns.src, row, octets, ip + 12);
    mapped(columns.dst, row, octets, ip + 16);
    if ((protocol !== TCP && protocol !== UDP) || transport + 8 > end) return -1;
    const port = view.getUint16(transport + 2);
    columns.srcPort[row] = view.getUint16(transport);
    columns.dstPort[row] = port;
    columns.tcpFlags[row] = protocol === TCP && transport + 14 <= end ? view.getUint8(transport + 13) : 0;
    if (protocol !== UDP || transport + 16 > end) return -1;
    if (port === 6081) return this.#geneve(view, transport + 8, end, row);
    if (port !== 4789) return -1;
    columns.vni[row] = view.getUint32(transport + 12) >>> 8;
    return transport + 16;
  }

  #geneve(view, geneve, end, row) {
    const inner = geneve + 8 + (view.getUint8(geneve) & 63) * 4;
    for (let option = geneve + 8; option + 4 <= Math.min(inner, end); ) {
      if (view.getUint16(option) === 0x0108 && view.getUint8(option + 2) === 3) this.columns.flowCookie[row] = view.getUint32(option + 4);
      option += 4 + (view.getUint8(option + 3) & 31) * 4;
    }
    return inner + 20 <= end ? inner : -1;
  }
}

function mapped(column, row, octets, at) {
  const to = row * 16;
  column.fill(0, to, to + 10);
  column[to + 10] = column[to + 11] = 255;
  for (let octet = 0; octet < 4; octet += 1) column[to + 12 + octet] = octets[at + octet];
}
