/** The part that answers questions about packets, flows and sessions, and prints for people: loaded when first asked. */
import { capturePart } from './capture-module.js';
import { type ModuleSource, Part } from './module.js';
import { decoder } from './runtime.js';

export const packetPart = new Part<typeof import('./bindings-packet.js')>(
  'packet.wasm', 'initPacket(', 'setText', [decoder, capturePart], () => import('./bindings-packet.js'),
);

/**
 * Makes `dissect`, `completeFilter`, the questions of `Capture`, text and CSV ready, which otherwise happens at their first call.
 *
 * @param source where `packet.wasm` comes from; only the entry `mirrorscope/slim` needs it
 */
export async function initPacket(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  await packetPart.load(source);
}
