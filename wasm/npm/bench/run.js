/** One contender over one file, in a process of its own: `node run.js NAME FILE`. Prints packets and milliseconds of CPU as JSON. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** The package; another one to compare it with can be named. */
const DIST = process.env.MIRRORSCOPE_DIST ?? new URL('../dist/node.js', import.meta.url).href;
const CHUNK_LEN = 256 * 1024;

/** Hands out a file in chunks; the buffer is the same each time. */
function* chunks(file) {
  const descriptor = openSync(file);
  const buffer = new Uint8Array(CHUNK_LEN);
  for (let length = readSync(descriptor, buffer); length > 0; length = readSync(descriptor, buffer)) yield buffer.subarray(0, length);
  closeSync(descriptor);
}

/** Adds up three columns, so that nobody can say that they were not looked at. */
function touch(columns, rows) {
  let sum = 0;
  for (let row = 0; row < rows; row += 1) sum += columns.vni[row] + columns.srcPort[row] + columns.originalLen[row];
  return sum;
}

async function pushed(file, decoder) {
  for (const chunk of chunks(file)) decoder.push(chunk);
  decoder.finish();
  const { packets } = decoder;
  decoder.dispose?.();
  return packets;
}

/** Once to let the engine compile what is hot, then measured. */
async function again(pass) {
  await pass();
  began = process.cpuUsage();
  return pass();
}

const CONTENDERS = {
  async decode(file) {
    const { Decoder } = await import(DIST);
    return pushed(file, new Decoder());
  },
  async columns(file) {
    const { Decoder } = await import(DIST);
    return pushed(file, new Decoder({ onBatch: ({ columns, length }) => touch(columns, length) }));
  },
  'decode again': (file) => again(() => CONTENDERS.decode(file)),
  'columns again': (file) => again(() => CONTENDERS.columns(file)),
  async 'by hand'(file) {
    const { ByHand } = await import('./by-hand.js');
    const decoder = new ByHand((rows) => touch(decoder.columns, rows));
    return pushed(file, decoder);
  },
  /** Load and list, as its own page does it. */
  async wiregasm(file) {
    const folder = new URL('../test/runtimes/node_modules/@goodtools/wiregasm/dist/', import.meta.url);
    const { Wiregasm } = createRequire(import.meta.url)(fileURLToPath(new URL('main.js', folder)));
    const load = createRequire(import.meta.url)(fileURLToPath(new URL('wiregasm.js', folder)));
    const wiregasm = new Wiregasm();
    await wiregasm.init(load, {
      wasmBinary: readFileSync(new URL('wiregasm.wasm', folder)),
      getPreloadedPackage: () => readFileSync(new URL('wiregasm.data', folder)).buffer,
      locateFile: (name) => new URL(name, folder).pathname,
      printErr: () => {},
      print: () => {},
    });
    began = process.cpuUsage();
    wiregasm.load('capture.pcap', readFileSync(file));
    const { frames, matched } = wiregasm.frames('', 0, 0);
    return matched ?? frames.length;
  },
  async nothing() {
    return 0;
  },
};

const [name, file] = process.argv.slice(2);
let began = process.cpuUsage();
const packets = await CONTENDERS[name](file);
const { user, system } = process.cpuUsage(began);
console.log(JSON.stringify({ packets, ms: (user + system) / 1000 }));
