/** Where the modules lie for browsers and bundlers: beside this file, in words that bundlers understand. */
import { setStandardSource } from './runtime.js';

setStandardSource((file) =>
  file === 'reports.wasm' ? new URL('./reports.wasm', import.meta.url) : new URL('./mirrorscope.wasm', import.meta.url),
);
