/** Where the modules lie for Node, Deno and Bun: in files beside this one. */
import { type ModuleFile, setStandardSource } from './module.js';

export function read(file: ModuleFile): Uint8Array<ArrayBuffer> {
  // Not imported: an import of `node:fs` also loads its promises, which costs Node 5 ms.
  return process.getBuiltinModule('node:fs').readFileSync(new URL(`./${file}`, import.meta.url));
}

setStandardSource(read);
