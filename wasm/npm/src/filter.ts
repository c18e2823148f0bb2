/** The filter language for an editor: what is wrong where, and what could be written at the cursor. */
import { throwFilter } from './engine.js';
import { FilterError } from './errors.js';
import { ready } from './runtime.js';
import { packetPart } from './packet-module.js';
import type { Completion } from './types.js';

/** What is wrong with a filter; nothing if it can be used. */
export function checkFilter(text: string): FilterError | undefined {
  const { checkFilter: check } = ready();
  try {
    throwFilter(check(text));
  } catch (error) {
    if (error instanceof FilterError) return error;
    throw error;
  }
  return undefined;
}

/** What could be written at index `cursor` of `text`, the usual first. `Capture.complete` also offers values. */
export async function completeFilter(text: string, cursor: number = text.length): Promise<Completion[]> {
  const bindings = await packetPart.load();
  return JSON.parse(bindings.completeFilter(text, cursor)) as Completion[];
}
