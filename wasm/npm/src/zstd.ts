/** Zstandard. Loaded when it is needed. */
import { Decompress } from 'fzstd';
import { inflate } from './inflate.js';

export function unzstd(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  return inflate('zstd', chunks, (take) => new Decompress((chunk) => take(chunk)));
}
