/** The filter that a field's value stands for, where the language has a word for it. */
import type { Field, Layer } from '../engine.js';
import type { Zone } from './nodes.js';

type Write = (value: string, layer: Layer) => string;

const WORDS: Record<string, Write> = {
  'ip.src': (value) => `src host ${value}`,
  'ip.dst': (value) => `dst host ${value}`,
  'ipv6.src': (value) => `src host ${value}`,
  'ipv6.dst': (value) => `dst host ${value}`,
  'ip.proto': (value) => `ip proto ${value}`,
  'tcp.srcport': (value) => `tcp src port ${value}`,
  'tcp.dstport': (value) => `tcp dst port ${value}`,
  'udp.srcport': (value) => `udp src port ${value}`,
  'udp.dstport': (value) => `udp dst port ${value}`,
  'eth.src': (value) => `ether src ${value}`,
  'eth.dst': (value) => `ether dst ${value}`,
  'icmp.type': (value) => `icmp[icmptype] = ${value}`,
  'vlan.id': (value) => `vlan ${value}`,
};
/** These speak of the tunnel themselves, wherever they stand. */
const OF_TUNNEL: [RegExp, Write][] = [
  [/^vxlan\.vni$/, (value) => `vni ${value}`],
  [/^geneve\..*endpoint/, (value) => `endpoint ${value}`],
  [/^geneve\..*attachment/, (value) => `attachment ${value}`],
  [/^geneve\..*cookie/, (value) => `cookie ${value}`],
];

export function filterOf(field: Field, layer: Layer, zone: Zone): string | undefined {
  if (field.value === undefined) return undefined;
  const value = String(field.value);
  const ofTunnel = OF_TUNNEL.find(([key]) => key.test(field.key));
  if (ofTunnel) return ofTunnel[1](value, layer);
  if (zone === 'mirror') return field.key === 'ip.src' || field.key === 'ipv6.src' ? `source ${value}` : undefined;
  const write = WORDS[field.key];
  if (!write) return undefined;
  return zone === 'outer' ? `outer (${write(value, layer)})` : write(value, layer);
}
