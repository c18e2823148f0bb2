/** The entry for browsers and bundlers: `await init()` fetches the module that lies beside this file. */
import { setStandardSource } from './runtime.js';

setStandardSource(() => new URL('./mirrorscope.wasm', import.meta.url));

export * from './api.js';
