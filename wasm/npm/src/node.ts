/** The entry for Node, Deno and Bun: ready on import. */
import { read } from './files.js';
import { initSync } from './runtime.js';

initSync(read('mirrorscope.wasm'), read('decode.wasm'));

export * from './api.js';
