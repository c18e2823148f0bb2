/** A stand-in for the decoder while it is written. */
import type { Capture, Engine, Flow, PacketTree, Row, Selection } from './engine.js';

const COUNT = 10_000_000;
const START = 1656581269266963000n;

function row(index: number): Row {
  const tcp = index % 3 !== 0;
  return {
    index,
    number: index + 1,
    timestampNs: START + BigInt(index) * 17_000_000n,
    session: index % 3,
    src: tcp ? '3.209.171.143' : '8.8.8.8',
    dst: '10.10.0.4',
    protocol: tcp ? 'TCP' : 'ICMP',
    length: 60 + (index * 37) % 1400,
    info: tcp ? '80 → 53332 [P.] 139 HTTP 200 OK' : 'echo reply',
    flags: index % 11 === 0 ? 32 : index % 17 === 0 ? 4 : 1,
    flow: index % 40,
    srcPort: tcp ? 80 : undefined,
    dstPort: tcp ? 53332 : undefined,
  };
}

const field = (key: string, label: string, value: string | number, offset: number, len: number) => ({ key, label, value, offset, len });

function tree(): PacketTree {
  let at = 0;
  const layer = (key: string, name: string, len: number, end: number) => {
    const offset = at;
    at += len;
    return { key, name, offset, headerLen: len, end, capturedEnd: end, complete: true, fields: [field(`${key}.one`, 'First', '10.10.0.4', offset, 4), field(`${key}.two`, 'Second', 12, offset + 4, 2)] };
  };
  return {
    subject: 7,
    layers: [layer('eth', 'Ethernet', 14, 210), layer('ip', 'IPv4', 20, 210), layer('udp', 'UDP', 8, 210), layer('geneve', 'Geneve', 40, 210), layer('ip', 'IPv4', 20, 210), layer('udp', 'UDP', 8, 210), layer('vxlan', 'VXLAN', 8, 210), layer('eth', 'Ethernet', 14, 210), layer('ip', 'IPv4', 20, 210), layer('tcp', 'TCP', 32, 210), layer('http', 'HTTP', 26, 210)],
  };
}

class MockCapture {
  loaded = Promise.resolve();
  packetCount = COUNT;
  firstPacket = 0;
  damage = [];
  stop() {}
  async select(expr: string): Promise<Selection> {
    const bad = expr.indexOf('prot');
    if (bad >= 0) throw Object.assign(new Error('`prot` is no word of the filter language'), { from: bad, to: bad + 4, suggestion: 'port' });
    return { id: 1, count: expr ? 12345 : COUNT, expr, packetCount: COUNT, packetsRead: 0 };
  }
  async selectTime(): Promise<Selection> { return { id: 3, count: 500, expr: '', packetCount: COUNT, packetsRead: 0 }; }
  release() {}
  async setNames() {}
  async sessionsSeen() { return (await this.overview()).sessions; }
  async rows({ selection, from, count }: { selection?: Selection; from: number; count: number }) {
    const end = Math.min(from + count, selection?.count ?? COUNT);
    return Array.from({ length: Math.max(0, end - from) }, (_, i) => row(from + i));
  }
  async indexOf(_: unknown, packet: number) {
    return packet;
  }
  async packet() {
    return tree();
  }
  async bytes() {
    return Uint8Array.from({ length: 210 }, (_, i) => (i * 31) % 256);
  }
  async text(index: number) {
    return `09:27:49.266963 IP 8.8.8.8 > 10.10.0.4: ICMP echo reply ${index}`;
  }
  async timeline({ bins }: { bins: number }) {
    const make = (k: number) => Uint32Array.from({ length: bins }, (_, i) => Math.max(0, Math.round(40 * (1 + Math.sin(i / (7 + k * 5))) + ((i * 7919 * (k + 1)) % 23))));
    const packets = [make(0), make(1), make(2)];
    return { startNs: START, endNs: START + 170_000_000_000n, sessions: [0, 1, 2], packets, bytes: packets.map((p) => Float64Array.from(p, (v) => v * 459)) };
  }
  async overview() {
    const s = (name: string, vni: number, packets: number) => ({ kind: 'mirrored', endpoint: 'vpce-00a1b2c3d4e5f6071', vni, source: '10.10.0.4', name, packets, bytes: packets * 459, first: '2022-06-30T09:27:49.266963000Z', last: '2022-06-30T09:28:34.186559000Z', truncated: 12, undecodable: 0, duplicates: 34, gapBytes: 0 });
    const c = (name: string, packets: number) => ({ name, packets, bytes: packets * 459 });
    return {
      packets: COUNT, bytes: COUNT * 459, firstNs: START, lastNs: START + 170_000_000_000n,
      sessions: [s('web-prod', 9325541, 6_000_000), s('', 42, 3_000_000), { ...s('', 0, 1_000_000), kind: 'inline', vni: undefined, source: undefined }],
      protocols: [c('tcp', 7e6), c('udp', 2e6), c('icmp', 1e6)],
      talkers: [c('3.209.171.143', 5e6), c('10.10.0.4', 9e6), c('8.8.8.8', 2e6)].map((x) => ({ ...x, address: x.name, name: undefined })),
      ports: [443, 80].map((port) => ({ ...c('', 5e6), protocol: 'tcp', port })),
      hosts: [{ name: 'example.com', kind: 'http' as const, packets: 12 }, { name: 'ssm.eu-west-1.amazonaws.com', kind: 'tls' as const, packets: 120 }],
      sizes: [64, 128, 256, 512, 1024, 1500, 9001].map((from, i) => ({ from, packets: 1000 * (8 - i) })),
      inline: { packets: 1e6, bytes: 459e6 }, undecodable: { packets: 3, bytes: 300 },
    };
  }
  async flows({ from, count }: { from: number; count: number }) {
    const way = (packets: number) => ({ packets, bytes: packets * 400, payload_bytes: packets * 340, duplicates: packets >> 3, truncated: 0, flags: 'FSPA', retransmissions: packets % 3, out_of_order: 0, gap_bytes: 0 });
    const rows: Flow[] = Array.from({ length: Math.max(0, Math.min(count, 400 - from)) }, (_, i) => ({ id: from + i, kind: 'mirrored', mirror: { endpoint: 'vpce-00a1b2c3d4e5f6071', vni: 9325541, source: '10.10.0.4', name: 'web-prod' }, protocol: 'tcp', client: '10.10.0.4', client_port: 53332 + i, server: '3.209.171.143', server_port: 80, service: 'http', http_host: 'example.com', state: 'established', end: 'end-of-input', first: '2022-06-30T09:27:49.266963000Z', last: '2022-06-30T09:28:34.186559000Z', handshake_rtt_ns: 1_300_000, response_mean_ns: 2_000_000, sent: way(20 + i), received: way(30 + i) }));
    return { total: 400, rows };
  }
  async flowPackets(): Promise<Selection> {
    return { id: 2, count: 40, expr: 'tcp port 80', packetCount: COUNT, packetsRead: 0 };
  }
  async follow() {
    const b = (t: string) => new TextEncoder().encode(t);
    return { segments: [{ direction: 'forward' as const, offset: 0, packet: 3, bytes: b('GET / HTTP/1.1\r\nHost: example.com\r\n\r\n') }, { direction: 'backward' as const, offset: 0, packet: 5, gapLen: 120 }, { direction: 'backward' as const, offset: 120, packet: 6, bytes: b('<html>') }], truncated: false };
  }
  async problems() {
    return [{ kind: 'duplicate', count: 1200, selection: {} }, { kind: 'truncated', count: 40, expr: 'truncated' }];
  }
  export() {
    return new Blob(['hello']).stream() as ReadableStream<Uint8Array>;
  }
  async explain() {
    return { report: {}, text: 'tmf-1  rule 100  63 packets' };
  }
  async lint() {
    return { report: {}, text: 'nothing found' };
  }
  async suggest() {
    return { report: {}, text: 'saves 40 %', exact: true, cli: 'aws ec2 create-traffic-mirror-filter', json: '{}', cloudformation: 'Resources:' };
  }
  async complete(text: string, cursor: number) {
    const from = text.slice(0, cursor).search(/\S*$/);
    return ['tcp', 'port', 'vni 9325541', 'host 8.8.8.8'].map((word) => ({ text: word, kind: 'keyword', from, to: cursor, detail: '1,234 packets' }));
  }
  async append() {}
  dispose() {}
}

export async function startMock(): Promise<Engine> {
  return {
    open: (sources, { onProgress }) => {
      if (sources[0]?.name.endsWith('.txt')) return Object.assign(new MockCapture(), { packetCount: 0, damage: [{ source: 0, sourceName: 'notes.txt', error: { message: 'this is no capture', hint: 'pcap and pcapng are read' } }] }) as unknown as Capture;
      setTimeout(() => onProgress?.({ bytes: 100, totalBytes: 100, packets: COUNT, firstPacket: 0, done: true }), 5);
      return new MockCapture() as unknown as Capture;
    },
  };
}
