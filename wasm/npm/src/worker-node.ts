/** The worker in Node, where the module is read and not fetched. */
import './files.js';
import './worker-calls.js';
