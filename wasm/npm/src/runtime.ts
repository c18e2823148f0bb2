/** The one WebAssembly module behind the package: how it is loaded, and where its memory lies. */
import * as bindings from './bindings.js';
import { NotInitialisedError } from './errors.js';

/** What the module can be made from: a compiled module, its octets, where to fetch it, or the answer to a fetch. */
export type ModuleSource = WebAssembly.Module | BufferSource | URL | string | Response;

let memory: WebAssembly.Memory | undefined;
let loading: Promise<void> | undefined;
let standard: ((file: ModuleFile) => ModuleSource | Promise<ModuleSource>) | undefined;

/** The modules of the package. */
export type ModuleFile = 'mirrorscope.wasm' | 'reports.wasm';

/** The entry says where modules lie that nobody brought; the first word counts, so that Node's worker reads files. */
export function setStandardSource(source: (file: ModuleFile) => ModuleSource | Promise<ModuleSource>): void {
  standard ??= source;
}

/** Where the second module lies. */
export function reportsSource(): ModuleSource | Promise<ModuleSource> {
  if (!standard) {
    throw new NotInitialisedError('this needs the second module of mirrorscope/slim', 'await initReports(source of mirrorscope/reports.wasm)');
  }
  return standard('reports.wasm');
}

/**
 * Makes the decoder ready. Needed once, before anything else; further calls are free. Node, Deno, Bun and workerd are
 * ready on import.
 *
 * @param source where the module comes from; only the entry `mirrorscope/slim` needs it
 */
export function init(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  if (memory) return Promise.resolve();
  loading ??= load(source).catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function load(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  const from = await (source ?? standard?.('mirrorscope.wasm'));
  if (from === undefined) {
    throw new NotInitialisedError('init() of mirrorscope/slim needs the module, its octets or its address');
  }
  const exports = await bindings.default({ module_or_path: from });
  memory ??= exports.memory;
}

/** Makes the decoder ready at once, from a compiled module or its octets. */
export function initSync(source: WebAssembly.Module | BufferSource): void {
  memory ??= bindings.initSync({ module: source }).memory;
}

/** Whether the decoder can be used. */
export function isReady(): boolean {
  return memory !== undefined;
}

/** The bindings, once they can be called. */
export function ready(): typeof bindings {
  moduleMemory();
  return bindings;
}

/** The module's memory. Its `buffer` is another one after the memory has grown. */
export function moduleMemory(): WebAssembly.Memory {
  if (!memory) throw new NotInitialisedError('call `await init()` of mirrorscope first');
  return memory;
}

/** The version of the decoder. */
export function version(): string {
  return ready().version();
}

/** Octets of the module's memory. It never shrinks; what decoders give back is used again. */
export function memoryBytes(): number {
  return moduleMemory().buffer.byteLength;
}
