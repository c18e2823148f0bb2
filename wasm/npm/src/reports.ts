/** The module with tcpdump's text and the AWS reports: it is loaded when it is first asked for. */
import type { RawDecoder } from './bindings-reports.js';
import { Pass } from './engine.js';
import { type Loaded, type ModuleSource, WasmModule } from './module.js';
import type { DecodeOptions } from './types.js';

type Bindings = typeof import('./bindings-reports.js');

const module = new WasmModule<Bindings>('reports.wasm', 'await initReports(source of mirrorscope/reports.wasm)', () => import('./bindings-reports.js'));

/**
 * Makes `explain`, `lint`, `suggest` and tcpdump's text ready, which otherwise happens at their first call.
 *
 * @param source where `reports.wasm` comes from; only the entry `mirrorscope/slim` needs it
 */
export async function initReports(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  await module.load(source);
}

/** The module, once it can be called. */
export function reports(): Promise<Loaded<Bindings>> {
  return module.load();
}

/** A pass that prints tcpdump's text, or learns for a report. */
export async function reporter(options: DecodeOptions): Promise<Pass<RawDecoder>> {
  const { bindings, memory } = await reports();
  return new Pass(new bindings.RawDecoder(), memory, options);
}
