/** The way to `Capture` for the main entry: its code is loaded when the first capture is opened. */
import type { Capture as IndexedCapture } from './capture.js';
import type { CaptureOptions } from './capture-types.js';
import { initCapture } from './capture-module.js';
import type { Source } from './sources.js';

/** A capture that is open; give it back with `dispose()` or `using`. */
export type Capture = IndexedCapture;

/** Opens captures that can be looked at anywhere. */
export const Capture = {
  /** Opens captures, merged in order of time, and indexes them. Damage is noted in `damage`, not thrown. */
  async open(sources: Source | Source[], options: CaptureOptions = {}): Promise<Capture> {
    return (await loaded()).open(sources, options);
  },
  /** The same, but the capture can be asked while it loads; `loaded` tells when it has. */
  async begin(sources: Source | Source[], options: CaptureOptions = {}): Promise<Capture> {
    return (await loaded()).begin(sources, options);
  },
};

async function loaded(): Promise<typeof IndexedCapture> {
  const [{ Capture }] = await Promise.all([import('./capture.js'), initCapture()]);
  return Capture;
}
