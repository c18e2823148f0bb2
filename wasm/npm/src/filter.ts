/** The filter language for an editor: what is wrong where, and what could be written at the cursor. */
import { captureModule } from './capture-module.js';
import { throwFilter } from './engine.js';
import { FilterError } from './errors.js';
import { type Bindings, ready } from './runtime.js';
import type { Completion } from './types.js';

/** What is wrong with a filter; nothing if it can be used. */
export function checkFilter(text: string): FilterError | undefined {
  return fault(ready(), text);
}

/** The same, by the module of the caller. */
export function fault(module: Pick<Bindings, 'checkFilter'>, text: string): FilterError | undefined {
  try {
    throwFilter(module.checkFilter(text));
  } catch (error) {
    if (error instanceof FilterError) return error;
    throw error;
  }
  return undefined;
}

/** What could be written at index `cursor` of `text`, the usual first. `Capture.complete` also offers values. */
export async function completeFilter(text: string, cursor: number = text.length): Promise<Completion[]> {
  const { bindings } = await captureModule();
  return JSON.parse(bindings.completeFilter(text, cursor)) as Completion[];
}
