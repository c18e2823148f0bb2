/** Parts of the page that come behind a usable page: when they are shown, or when there is time to read ahead. */
import { lazy, type Component } from 'solid-js';

const all: (() => Promise<unknown>)[] = [];

/** A component whose code is fetched when it is first shown. */
export function later(load: () => Promise<Component>): Component {
  const component = lazy(async () => ({ default: await load() }));
  all.push(component.preload);
  return component;
}

/** Something else that may be needed later. */
export const alsoLater = (load: () => Promise<unknown>): void => void all.push(load);

/** Fetches all of it, so that nothing is asked for afterwards: the page works when the network is gone. */
export async function readAhead(): Promise<void> {
  await Promise.all(all.map((load) => load().catch(() => undefined)));
  document.documentElement.dataset['warm'] = '';
}
