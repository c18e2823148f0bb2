/** gzip with any number of members, which the browser's DecompressionStream refuses. Loaded when it is needed. */
import { Gunzip } from 'fflate';
import { inflate } from './inflate.js';

export function gunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  return inflate('gzip', chunks, (take) => new Gunzip((chunk) => take(chunk)));
}
