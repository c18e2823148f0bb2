/** How a flow and its ends are written. */
import type { Flow } from '../engine.js';

/** An address, with its port where there is one. */
export function place(address: string, port: number | undefined): string {
  if (port === undefined) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The name that its client asked for, else the usual service of the port. */
export const flowName = (flow: Flow): string => flow.sni ?? flow.http_host ?? flow.dns_name ?? flow.service ?? '';

/** From the first packet to the last, nanoseconds. */
export const lasts = ({ first, last }: Flow): number => Number(nanoseconds(last) - nanoseconds(first));

/** RFC 3339 with nanoseconds, since 1970. */
export function nanoseconds(time: string): bigint {
  const [, seconds = '', fraction = ''] = /^(.*?)(?:\.(\d+))?Z$/.exec(time) ?? [];
  const at = Date.parse(`${seconds}Z`);
  return Number.isNaN(at) ? 0n : BigInt(at) * 1_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9) || '0');
}
