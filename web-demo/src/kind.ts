/** What a file is that is no capture, by its first octets: people drop the wrong one. */
import type { Text } from './text/en.js';

export type Kind = keyof Text['wrongKinds'];

const BEGINNINGS: [RegExp, Kind][] = [
  [/^$/, 'empty'],
  [/^(\x89PNG|\xff\xd8\xff|GIF8|RIFF|BM)/, 'image'],
  [/^%PDF/, 'document'],
  [/^(PK\x03\x04|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!)/, 'archive'],
  [/^(\x7fELF|MZ|#!)/, 'program'],
  [/^\s*[[{]/, 'json'],
  [/^[\t\n\r\x20-\x7e]+$/, 'text'],
];
/** Octets that are looked at. */
const LOOK_LEN = 64;

export async function kindOfFile(blob: Blob): Promise<Kind | undefined> {
  const head = String.fromCharCode(...new Uint8Array(await blob.slice(0, LOOK_LEN).arrayBuffer()));
  return BEGINNINGS.find(([beginning]) => beginning.test(head))?.[1];
}
