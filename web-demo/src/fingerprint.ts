/** Which files are open, in a few words that tell nothing of their content. */
import type { Source } from './engine.js';

/** Octets of the beginning and of the end that are looked at. */
const END_LEN = 64 << 10;

/** `name:size:digest` of the first file, with the digest over the ends of all. */
export async function fingerprint(sources: Source[]): Promise<string> {
  const first = sources[0];
  if (!first || !globalThis.crypto?.subtle) return '';
  const ends = sources.flatMap(({ blob }) => [blob.slice(0, END_LEN), blob.slice(Math.max(0, blob.size - END_LEN))]);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await new Blob(ends).arrayBuffer()));
  const size = sources.reduce((sum, { blob }) => sum + blob.size, 0);
  return `${first.name}:${size}:${Array.from(digest.subarray(0, 6), (octet) => octet.toString(16).padStart(2, '0')).join('')}`;
}

/** Name and size that a fingerprint tells. */
export function parts(text: string): { name: string; size: number } | undefined {
  const found = /^(.*):(\d+):[0-9a-f]+$/.exec(text);
  return found ? { name: found[1]!, size: Number(found[2]) } : undefined;
}
