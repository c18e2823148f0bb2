/** Where a worker's modules lie in browsers: beside this file. The small module is not named, so no bundler adds it. */
import { setStandardSource } from './module.js';

setStandardSource((file) =>
  file === 'reports.wasm' ? new URL('./reports.wasm', import.meta.url) : new URL('./capture.wasm', import.meta.url),
);
