/** The part that decodes: `mirrorscope.wasm`. */
import { checkFilter, formatAddress, RawDecoder, version as versionOf } from './bindings.js';
import { NotInitialisedError } from './errors.js';
import { type ModuleSource, Part } from './module.js';

const bindings = { RawDecoder, checkFilter, formatAddress, version: versionOf };

/** What it exports. */
export type Bindings = typeof bindings;

export const decoder = new Part<Bindings>('mirrorscope.wasm', 'await init(module, octets or address)', undefined, () => bindings);

/**
 * Makes the decoder ready. Needed once, before anything else; further calls are free. Node, Deno, Bun and workerd are
 * ready on import.
 *
 * @param source where the module comes from; only the entry `mirrorscope/slim` needs it
 */
export async function init(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  await decoder.load(source);
}

/** Makes the decoder ready at once, from a compiled module or its octets. */
export function initSync(source: WebAssembly.Module | BufferSource): void {
  decoder.loadSync(bindings, source);
}

/** Whether the decoder can be used. */
export function isReady(): boolean {
  return decoder.loaded !== undefined;
}

/** The bindings, once they can be called. */
export function ready(): Bindings {
  if (!decoder.loaded) throw new NotInitialisedError('call `await init()` of mirrorscope first');
  return decoder.loaded;
}

/** The version of the decoder. */
export function version(): string {
  return ready().version();
}
