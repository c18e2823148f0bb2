/** Where the modules lie for Node, Deno and Bun: in files beside this one. */
import { readFileSync } from 'node:fs';
import { type ModuleFile, setStandardSource } from './module.js';

export function read(file: ModuleFile): Uint8Array<ArrayBuffer> {
  return readFileSync(new URL(`./${file}`, import.meta.url));
}

setStandardSource(read);
