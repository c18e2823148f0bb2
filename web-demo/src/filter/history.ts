/** The filters that were used last, newest first. */
import { createSignal } from 'solid-js';
import { remember, remembered } from '../remember.js';

const MAX = 50;
/** Characters of a filter that is worth keeping. */
const MAX_LEN = 2000;

const [past, setPast] = createSignal<string[]>(read());
export { past };

export function keep(filter: string): void {
  const text = filter.trim();
  if (!text || text.length > MAX_LEN) return;
  setPast((before) => [text, ...before.filter((other) => other !== text)].slice(0, MAX));
  remember('filters', JSON.stringify(past()));
}

function read(): string[] {
  try {
    const list = JSON.parse(remembered('filters') ?? '[]') as unknown;
    return Array.isArray(list) ? list.filter((item): item is string => typeof item === 'string').slice(0, MAX) : [];
  } catch {
    return [];
  }
}
