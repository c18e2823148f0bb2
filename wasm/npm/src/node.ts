/** The entry for Node, Deno and Bun: ready on import. */
import { readFileSync } from 'node:fs';
import { initSync } from './runtime.js';

initSync(readFileSync(new URL('./mirrorscope.wasm', import.meta.url)));

export * from './api.js';
