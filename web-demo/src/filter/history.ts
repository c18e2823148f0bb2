/** The filters that were used last, newest first, and those that were saved. */
import { createSignal } from 'solid-js';
import { readList, remembered, rememberList } from '../remember.js';

const MAX = 50;
/** Characters of a filter that is worth keeping. */
const MAX_LEN = 2000;

const [past, setPast] = kept('filters');
const [saved, setSaved] = kept('saved-filters');
export { past, saved };

/** Remembers a filter that was used. */
export function keep(filter: string): void {
  const text = filter.trim();
  if (isWorthKeeping(text)) setPast([text, ...past().filter((other) => other !== text)]);
}

export const isSaved = (filter: string): boolean => saved().includes(filter.trim());

/** Saves a filter, or forgets that it was saved. */
export function toggleSaved(filter: string): void {
  const text = filter.trim();
  if (isSaved(text)) setSaved(saved().filter((other) => other !== text));
  else if (isWorthKeeping(text)) setSaved([text, ...saved()]);
}

const isWorthKeeping = (text: string): boolean => text !== '' && text.length <= MAX_LEN;

/** A list in memory and in the browser's storage. */
function kept(key: string): [() => string[], (list: string[]) => void] {
  const [list, set] = createSignal(readList(remembered(key), (item): item is string => typeof item === 'string').slice(0, MAX));
  return [list, (next) => {
    set(next.slice(0, MAX));
    rememberList(key, list());
  }];
}
