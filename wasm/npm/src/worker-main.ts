/** The worker in browsers, where the module is fetched. */
import './beside.js';
import './worker-calls.js';
