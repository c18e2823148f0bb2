/** Octets that come once and are read again: those of streams and compressed captures, kept in memory. */
import { MirrorscopeError } from './errors.js';
import type { RandomAccess } from './sources.js';

/** Keeps what is added, up to a limit, and forgets from the beginning when it is told to. */
export class Kept implements RandomAccess {
  readonly #chunks: { offset: number; octets: Uint8Array }[] = [];
  readonly #limit: number;
  #held = 0;
  size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(octets: Uint8Array): void {
    if (this.#held + octets.length > this.#limit) {
      throw new MirrorscopeError(
        'TOO_LARGE',
        `uncompressed, the capture has more than the ${this.#limit} bytes that may be kept`,
        'give an uncompressed file, or raise maxKeptBytes; the packets before are there',
      );
    }
    // A copy: the chunk may be a part of a much larger buffer.
    this.#chunks.push({ offset: this.size, octets: octets.slice() });
    this.size += octets.length;
    this.#held += octets.length;
  }

  /** Gives back what lies before an octet. */
  forget(before: number): void {
    for (let first = this.#chunks[0]; first && first.offset + first.octets.length <= before; first = this.#chunks[0]) {
      this.#held -= first.octets.length;
      this.#chunks.shift();
    }
  }

  read(offset: number, length: number): Uint8Array {
    const found = new Uint8Array(length);
    let filled = 0;
    for (let at = this.#place(offset); filled < length; at += 1) {
      const chunk = this.#chunks[at];
      const from = offset + filled - (chunk?.offset ?? Infinity);
      if (!chunk || from < 0) break;
      const part = chunk.octets.subarray(from, from + length - filled);
      if (part.length === 0) break;
      found.set(part, filled);
      filled += part.length;
    }
    return found.subarray(0, filled);
  }

  /** The chunk that holds an octet. */
  #place(offset: number): number {
    let [low, high] = [0, this.#chunks.length];
    while (low + 1 < high) {
      const middle = (low + high) >> 1;
      if ((this.#chunks[middle]?.offset ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low;
  }
}
