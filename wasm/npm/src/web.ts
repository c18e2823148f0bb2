/** The entry for browsers and bundlers: `await init()` fetches the module that lies beside this file. */
import './beside.js';

export * from './api.js';
