/** The entry for workerd (Cloudflare Workers), which compiles modules only when it loads them: ready on import. */
import './decoder.js';
import module from './mirrorscope.wasm';
import { setStandardSource } from './module.js';
import { initSync } from './runtime.js';

initSync(module);
setStandardSource(async (file) => (await (file === 'reports.wasm' ? import('./reports.wasm') : import('./capture.wasm'))).default);

export * from './api.js';
