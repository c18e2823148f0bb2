/** The module with the index: it decodes, too, so that a worker needs no other. Loaded when the first capture is opened. */
import { type Loaded, type ModuleSource, WasmModule } from './module.js';
import { loadedDecoder } from './runtime.js';

/** What the module exports. */
export type CaptureBindings = typeof import('./bindings-capture.js');

/** Its decoder, which prints more than that of the small module. */
export type CaptureDecoder = InstanceType<CaptureBindings['RawDecoder']>;

const capture = new WasmModule<CaptureBindings>('capture.wasm', 'await initCapture(source of mirrorscope/capture.wasm)', () => import('./bindings-capture.js'));

/**
 * Makes `Capture`, `dissect`, `completeFilter`, text and CSV ready, which otherwise happens at their first use.
 *
 * @param source where `capture.wasm` comes from; only the entry `mirrorscope/slim` needs it
 */
export async function initCapture(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  await captureModule(source);
}

/** The module, once it can be called. */
export function captureModule(source?: ModuleSource | Promise<ModuleSource>): Promise<Loaded<CaptureBindings>> {
  const loaded = loadedCapture();
  return loaded ? Promise.resolve(loaded) : capture.load(source);
}

/** The module, if it can be called. */
export function loadedCapture(): Loaded<CaptureBindings> | undefined {
  const decoder = loadedDecoder();
  return decoder && hasIndex(decoder) ? decoder : capture.loaded;
}

function hasIndex(decoder: Loaded<object>): decoder is Loaded<CaptureBindings> {
  return 'RawCapture' in decoder.bindings;
}
