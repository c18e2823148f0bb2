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
