/** What gzip and zstd share: octets go in in small pieces, so that a bomb cannot fill the memory before it is read. */
import { MirrorscopeError } from './errors.js';

/** Octets that are decompressed at a time. Deflate makes at most 1032 of one. */
const PIECE_LEN = 16 * 1024;

/** A decompressor that is pushed into and calls back. */
export interface Inflater {
  push(chunk: Uint8Array, final: boolean): void;
}

/** The decompressed chunks. What was decompressed before a fault is delivered before the error. */
export async function* inflate(
  format: string,
  chunks: AsyncIterable<Uint8Array>,
  begin: (take: (chunk: Uint8Array) => void) => Inflater,
): AsyncGenerator<Uint8Array> {
  let ready: Uint8Array[] = [];
  let fault: unknown;
  const inflater = begin((chunk) => ready.push(chunk));
  const push = (chunk: Uint8Array, final: boolean): Uint8Array[] => {
    try {
      inflater.push(chunk, final);
    } catch (error) {
      fault = error;
    }
    const made = ready;
    ready = [];
    return made;
  };
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length && fault === undefined; at += PIECE_LEN) {
      // A copy, for a decompressor keeps what it cannot use yet, and the source may write there again.
      yield* push(chunk.slice(at, at + PIECE_LEN), false);
    }
    if (fault !== undefined) break;
  }
  if (fault === undefined) yield* push(new Uint8Array(), true);
  if (fault !== undefined) throw damaged(format, fault);
}

function damaged(format: string, fault: unknown): MirrorscopeError {
  const why = fault instanceof Error ? fault.message : String(fault);
  if (/unexpected EOF/.test(why)) {
    return new MirrorscopeError('COMPRESSION', `the ${format} data ends too early`, 'the file was cut short; the packets before are good');
  }
  return new MirrorscopeError('COMPRESSION', `the ${format} data is damaged: ${why}`, 'copy the file again; the packets before are good');
}
