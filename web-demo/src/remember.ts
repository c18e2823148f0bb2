/** What the page keeps from visit to visit: choices, never packets. */
const PREFIX = 'mirrorscope.';

export function remembered(key: string): string | undefined {
  try {
    return localStorage.getItem(PREFIX + key) ?? undefined;
  } catch {
    return undefined; // storage may be forbidden
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(PREFIX + key, value);
  } catch {
    // A page that may not remember still works.
  }
}

export const rememberList = (key: string, list: readonly unknown[]): void => remember(key, JSON.stringify(list));

/** A list that was remembered, without what does not belong in it: anyone may have written there. */
export function readList<T>(text: string | undefined, isItem: (item: unknown) => item is T): T[] {
  try {
    const list = JSON.parse(text ?? '[]') as unknown;
    return Array.isArray(list) ? list.filter(isItem) : [];
  } catch {
    return [];
  }
}
