/** Who mirrored what: `node examples/node.js capture.pcap`. */
import { createReadStream } from 'node:fs';
import { summarise } from 'mirrorscope';

const { sessions, flows, damage } = await summarise(createReadStream(process.argv[2]), { flows: true });
console.table(sessions.map(({ endpoint, vni, source, packets, bytes }) => ({ endpoint, vni, source, packets, bytes })));
console.log(`${flows.length} flows`);
if (damage) console.error(`damaged: ${damage.message}`);
