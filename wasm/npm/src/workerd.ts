/** The entry for workerd (Cloudflare Workers), which compiles modules only when it loads them: ready on import. */
import module from './mirrorscope.wasm';
import { initSync } from './runtime.js';

initSync(module);

export * from './api.js';
