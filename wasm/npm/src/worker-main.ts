/** The worker in browsers, where the module is fetched. */
import './beside-worker.js';
import './worker-calls.js';
