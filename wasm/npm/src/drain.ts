/** A whole source through one engine. */
import type { Engine } from './engine.js';
import { CaptureError, type MirrorscopeError } from './errors.js';
import { type Chunks, open, type Source } from './sources.js';
import type { PassOptions } from './types.js';

/** Runs a source through an engine; yields when output is to be taken, and throws what the source's end says. */
export async function* pass(engine: Engine, source: Source, options: PassOptions): AsyncGenerator<void, void, void> {
  const chunks = open(source, options.signal);
  try {
    for await (const chunk of chunks.octets) {
      for (const _ of engine.feed(chunk)) {
        yield;
        options.signal?.throwIfAborted();
      }
      tell(options, chunks, engine);
      if (engine.done) break;
    }
  } catch (error) {
    // Nothing more can be read, but what was must come before the error.
    yield;
    throw error;
  }
  yield* engine.end();
  tell(options, chunks, engine);
  const damage = engine.damage();
  if (damage) throw damage;
}

/** Runs a source through an engine that prints nothing; returns what the capture, or its compression, suffers from. */
export async function drain(engine: Engine, source: Source, options: PassOptions): Promise<MirrorscopeError | undefined> {
  try {
    for await (const _ of pass(engine, source, options)) engine.taken();
  } catch (error) {
    if (error instanceof CaptureError || (error as MirrorscopeError).code === 'COMPRESSION') return error as MirrorscopeError;
    throw error;
  }
  return undefined;
}

function tell({ onProgress }: PassOptions, chunks: Chunks, engine: Engine): void {
  onProgress?.({ bytes: chunks.bytes(), totalBytes: chunks.totalBytes, packets: engine.raw.packets() });
}

