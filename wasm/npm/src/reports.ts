/** The second module, with tcpdump's text and the AWS reports: it is loaded when it is first asked for. */
import type { RawDecoder } from './bindings-reports.js';
import { Pass } from './engine.js';
import { type ModuleSource, reportsSource } from './runtime.js';
import type { DecodeOptions } from './types.js';

interface Reports {
  readonly bindings: typeof import('./bindings-reports.js');
  readonly memory: WebAssembly.Memory;
}

let loading: Promise<Reports> | undefined;

/**
 * Makes `explain`, `lint`, `suggest` and tcpdump's text ready, which otherwise happens at their first call.
 *
 * @param source where `reports.wasm` comes from; only the entry `mirrorscope/slim` needs it
 */
export async function initReports(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  await reports(source);
}

/** The module, once it can be called. */
export function reports(source?: ModuleSource | Promise<ModuleSource>): Promise<Reports> {
  loading ??= load(source).catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function load(source?: ModuleSource | Promise<ModuleSource>): Promise<Reports> {
  const [bindings, from] = await Promise.all([import('./bindings-reports.js'), source ?? reportsSource()]);
  const { memory } = await bindings.default({ module_or_path: from });
  return { bindings, memory };
}

/** A pass that prints tcpdump's text, or learns for a report. */
export async function reporter(options: DecodeOptions): Promise<Pass<RawDecoder>> {
  const { bindings, memory } = await reports();
  return new Pass(new bindings.RawDecoder(), memory, options);
}
