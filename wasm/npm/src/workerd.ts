/** The entry for workerd (Cloudflare Workers), which compiles modules only when it loads them: ready on import. */
import module from './mirrorscope.wasm';
import { initSync, setStandardSource } from './runtime.js';

initSync(module);
setStandardSource(async () => (await import('./reports.wasm')).default);

export * from './api.js';
