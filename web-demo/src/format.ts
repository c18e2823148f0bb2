/** Numbers, sizes and times as people of the chosen language write them. */
import { language } from './text/index.js';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Making a formatter costs a hundred times its use. */
const formatters = new Map<string, Intl.NumberFormat>();

function formatter(options: Intl.NumberFormatOptions = {}): Intl.NumberFormat {
  const key = language() + JSON.stringify(options);
  let made = formatters.get(key);
  if (!made) formatters.set(key, (made = new Intl.NumberFormat(language(), options)));
  return made;
}

export const number = (value: number): string => formatter().format(value);

/** A number in as few letters as will do: `12K`. */
export const short = (value: number): string => formatter({ notation: 'compact', maximumFractionDigits: 1 }).format(value);

export function bytes(value: number): string {
  const power = value < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(value) / 3));
  const digits = power === 0 ? 0 : 1;
  return `${formatter({ maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value / 1000 ** power)} ${UNITS[power]}`;
}

/** `part` of `whole`, as a percentage. */
export function percent(part: number, whole: number): string {
  const share = whole === 0 ? 0 : part / whole;
  const digits = share > 0 && share < 0.1 ? 1 : 0;
  return formatter({ style: 'percent', maximumFractionDigits: digits }).format(share);
}

/** A length of time in nanoseconds, with three significant digits. */
export function duration(ns: number): string {
  const [divisor, unit] = ns < 1e3 ? [1, 'ns'] : ns < 1e6 ? [1e3, 'µs'] : ns < 1e9 ? [1e6, 'ms'] : ns < 120e9 ? [1e9, 's'] : ns < 7200e9 ? [60e9, 'min'] : [3600e9, 'h'];
  return `${formatter({ maximumSignificantDigits: 3 }).format(ns / divisor)} ${unit}`;
}

export type TimeStyle = 'relative' | 'utc' | 'local';

/** A time of day with microseconds, or seconds since `firstNs`. */
export function time(ns: bigint, style: TimeStyle, firstNs: bigint): string {
  if (style === 'relative') {
    const since = ns - firstNs;
    const size = since < 0n ? -since : since;
    return `${since < 0n ? '-' : ''}${size / 1_000_000_000n}.${String((size % 1_000_000_000n) / 1000n).padStart(6, '0')}`;
  }
  const date = new Date(Number(ns / 1_000_000n));
  const micros = String((((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n) / 1000n).padStart(6, '0');
  const clock = style === 'utc' ? date.toISOString().slice(11, 19) : [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
  return `${clock}.${micros}`;
}

/** Date and time to the second, UTC. */
export function moment(ns: bigint): string {
  return new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19).replace('T', ' ');
}

/** Octets as hexadecimal digits. */
export const hex = (octets: Uint8Array): string => Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('');

/** What a capture says, with what could mislead a reader shown: control characters and marks of writing direction. */
export function plain(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
