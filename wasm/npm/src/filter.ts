/** The filter language for an editor: what is wrong where, and what could be written at the cursor. */
import { throwFilter } from './engine.js';
import { FilterError } from './errors.js';
import { ready } from './runtime.js';
import type { Completion } from './types.js';

/** What is wrong with a filter; nothing if it can be used. */
export function checkFilter(text: string): FilterError | undefined {
  try {
    throwFilter(ready().checkFilter(text));
  } catch (error) {
    if (error instanceof FilterError) return error;
    throw error;
  }
  return undefined;
}

/** What could be written at index `cursor` of `text`, the usual first. `Capture.complete` also offers values. */
export function completeFilter(text: string, cursor: number = text.length): Completion[] {
  return JSON.parse(ready().completeFilter(text, cursor)) as Completion[];
}
