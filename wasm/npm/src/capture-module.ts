/** The part with the index: loaded when the first capture is opened. */
import { type ModuleSource, Part } from './module.js';
import { decoder } from './runtime.js';

/** What it exports. */
export type CaptureBindings = typeof import('./bindings-capture.js');

export const capturePart = new Part<CaptureBindings>(
  'capture.wasm', 'await initCapture(source of mirrorscope/capture.wasm)', decoder, () => import('./bindings-capture.js'),
);

/**
 * Makes `Capture` ready, which otherwise happens at its first use.
 *
 * @param source where `capture.wasm` comes from; only the entry `mirrorscope/slim` needs it
 */
export async function initCapture(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  await capturePart.load(source);
}
