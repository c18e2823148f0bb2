/** Where the modules lie for browsers, their workers and bundlers: beside this file, in words that bundlers understand. */
import { setStandardSource } from './module.js';

setStandardSource((file) => {
  switch (file) {
    case 'mirrorscope.wasm': return new URL('./mirrorscope.wasm', import.meta.url);
    case 'decode.wasm': return new URL('./decode.wasm', import.meta.url);
    case 'capture.wasm': return new URL('./capture.wasm', import.meta.url);
    case 'packet.wasm': return new URL('./packet.wasm', import.meta.url);
    case 'reports.wasm': return new URL('./reports.wasm', import.meta.url);
  }
});
