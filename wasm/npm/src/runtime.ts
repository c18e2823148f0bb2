/** The parts that every program needs: what all use, and what passes over captures. */
import { version as versionOf } from './bindings.js';
import { checkFilter, RawDecoder } from './bindings-decode.js';
import { NotInitialisedError } from './errors.js';
import { type ModuleSource, Part } from './module.js';

/** What they export, once this file's imports are there. */
const bindings = () => ({ RawDecoder, checkFilter, version: versionOf });
export type Bindings = ReturnType<typeof bindings>;

export const common = new Part('mirrorscope.wasm', 'init(', 'memory', [], () => true);
export const decoder = new Part<Bindings>('decode.wasm', 'init(…, ', 'rawdecoder_new', [common], bindings);

type Source = ModuleSource | Promise<ModuleSource>;

/**
 * Makes the decoder ready. Needed once, before anything else; further calls are free. Node, Deno, Bun and workerd are
 * ready on import.
 *
 * @param source where `mirrorscope.wasm` comes from; only the entry `mirrorscope/slim` needs it
 * @param decode where `decode.wasm` comes from
 */
export async function init(source?: Source, decode?: Source): Promise<void> {
  await Promise.all([common.load(source), decoder.load(decode)]);
}

/** Makes the decoder ready at once, from its two compiled modules or their octets. */
export function initSync(source: WebAssembly.Module | BufferSource, decode: WebAssembly.Module | BufferSource): void {
  common.loadSync(true, source);
  decoder.loadSync(bindings(), decode);
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
