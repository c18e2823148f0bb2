/** The entry for Node, Deno and Bun: ready on import. */
import { readFileSync } from 'node:fs';
import { initSync, type ModuleFile, setStandardSource } from './runtime.js';

const read = (file: ModuleFile): Uint8Array<ArrayBuffer> => readFileSync(new URL(`./${file}`, import.meta.url));

initSync(read('mirrorscope.wasm'));
setStandardSource(read);

export * from './api.js';
