/** Text for people: what prints it is loaded for it. */
import { Engine } from './engine.js';
import { MirrorscopeError } from './errors.js';
import { packetPart } from './packet-module.js';
import { reports } from './reports.js';
import type { PrintOptions } from './types.js';

/** A pass that prints for people. */
export async function textPrinter(options: PrintOptions): Promise<Engine> {
  const { format, time = 4, nanoseconds, local, colour, number, verbose, hex = 0 } = options;
  const switches = [nanoseconds, local, colour, number, verbose].map(Boolean) as [boolean, boolean, boolean, boolean, boolean];
  if (format === 'tcpdump') {
    const { setTcpdump } = await reports();
    const engine = new Engine(options);
    setTcpdump(engine.raw, time, ...switches, hex);
    return engine;
  }
  const { setText } = await packetPart.load();
  const engine = new Engine(options);
  if (setText(engine.raw, format ?? 'jsonl', time, ...switches, hex)) return engine;
  engine.free();
  throw new MirrorscopeError('FORMAT', `packets cannot be printed as ${format}`);
}
