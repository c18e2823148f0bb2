/** The entry for workerd (Cloudflare Workers), which compiles modules only when it loads them: ready on import. */
import decode from './decode.wasm';
import module from './mirrorscope.wasm';
import { setStandardSource } from './module.js';
import { initSync } from './runtime.js';

initSync(module, decode);
const LATER = {
  'capture.wasm': () => import('./capture.wasm'),
  'packet.wasm': () => import('./packet.wasm'),
  'reports.wasm': () => import('./reports.wasm'),
};
setStandardSource(async (file) => (await LATER[file as keyof typeof LATER]()).default);

export * from './api.js';
