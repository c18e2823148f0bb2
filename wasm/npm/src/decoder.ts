/** The small module decodes. */
import * as bindings from './bindings.js';
import { setDecoder } from './runtime.js';

setDecoder(bindings, 'mirrorscope.wasm');
