/** The part that tells of one packet or flow, and prints for people: loaded when it is first asked for. */
import { capturePart } from './capture-module.js';
import { type ModuleSource, Part } from './module.js';

export const packetPart = new Part<typeof import('./bindings-packet.js')>(
  'packet.wasm', 'await initPacket(source of mirrorscope/packet.wasm)', capturePart, () => import('./bindings-packet.js'),
);

/**
 * Makes `dissect`, `completeFilter`, text and CSV ready, which otherwise happens at their first call.
 *
 * @param source where `packet.wasm` comes from; only the entry `mirrorscope/slim` needs it
 */
export async function initPacket(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  await packetPart.load(source);
}
