/** The decoder's module: `mirrorscope.wasm`, or in a worker the larger one that holds the index, too. */
import { NotInitialisedError } from './errors.js';
import { type Loaded, type ModuleFile, type ModuleSource, WasmModule } from './module.js';

/** What every decoder exports. */
export type Bindings = typeof import('./bindings.js');

let generated: Bindings | undefined;
let decoder: WasmModule<Bindings> | undefined;

/** The entry says which module decodes. */
export function setDecoder(bindings: Bindings, file: ModuleFile): void {
  generated = bindings;
  decoder = new WasmModule(file, 'await init(module, octets or address)', () => bindings);
}

/**
 * Makes the decoder ready. Needed once, before anything else; further calls are free. Node, Deno, Bun and workerd are
 * ready on import.
 *
 * @param source where the module comes from; only the entry `mirrorscope/slim` needs it
 */
export async function init(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  await decoder?.load(source);
}

/** Makes the decoder ready at once, from a compiled module or its octets. */
export function initSync(source: WebAssembly.Module | BufferSource): void {
  if (generated) decoder?.loadSync(generated, source);
}

/** Whether the decoder can be used. */
export function isReady(): boolean {
  return decoder?.loaded !== undefined;
}

/** The decoder's module, if it can be called. */
export function loadedDecoder(): Loaded<Bindings> | undefined {
  return decoder?.loaded;
}

/** The bindings, once they can be called. */
export function ready(): Bindings {
  return loaded().bindings;
}

/** The memory of the decoder's module. */
export function moduleMemory(): WebAssembly.Memory {
  return loaded().memory;
}

/** The module, once it can be called. */
export function loaded(): Loaded<Bindings> {
  if (!decoder?.loaded) throw new NotInitialisedError('call `await init()` of mirrorscope first');
  return decoder.loaded;
}

/** The version of the decoder. */
export function version(): string {
  return ready().version();
}
