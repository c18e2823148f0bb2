/** The part with tcpdump's text and the AWS reports: loaded when it is first asked for. */
import { type ModuleSource, Part } from './module.js';
import { packetPart } from './packet-module.js';

type Bindings = typeof import('./bindings-reports.js');

const part = new Part<Bindings>(
  'reports.wasm', 'initReports(', 'rawinventory_new', [packetPart], () => import('./bindings-reports.js'),
);

/**
 * Makes `explain`, `lint`, `suggest` and tcpdump's text ready, which otherwise happens at their first call.
 *
 * @param source where `reports.wasm` comes from; only the entry `mirrorscope/slim` needs it
 */
export async function initReports(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  await part.load(source);
}

/** The part, once it can be called. */
export function reports(): Promise<Bindings> {
  return part.load();
}
