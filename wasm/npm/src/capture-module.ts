/** The part with the index: loaded when the first capture is opened. */
import { type ModuleSource, Part } from './module.js';
import { common } from './runtime.js';

/** What it exports. */
export type CaptureBindings = typeof import('./bindings-capture.js');

export const capturePart = new Part<CaptureBindings>(
  'capture.wasm', 'initCapture(', 'rawcapture_new', [common], () => import('./bindings-capture.js'),
);

/**
 * Makes `Capture` ready, which otherwise happens at its first use: it opens captures and tells rows. Its other questions
 * load the part of `initPacket`.
 *
 * @param source where `capture.wasm` comes from; only the entry `mirrorscope/slim` needs it
 */
export async function initCapture(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  await capturePart.load(source);
}
