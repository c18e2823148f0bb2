/** The worker in Node, where the module is read and not fetched. */
import './node.js';
import './worker-main.js';
