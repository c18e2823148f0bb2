/** The entry for browsers and bundlers: `await init()` fetches the module that lies beside this file. */
import './decoder.js';
import './beside.js';

export * from './api.js';
