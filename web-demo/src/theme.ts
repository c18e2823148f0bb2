/** Light, dark, or as the system is. */
import { createSignal } from 'solid-js';
import { remember, remembered } from './remember.js';

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

/** Colours as they were spelt out last, until the theme is another one. */
const spelt = new Map<string, string>();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => spelt.clear());

const [theme, choose] = createSignal<Theme>(THEMES.find((name) => name === remembered('theme')) ?? 'auto');
export { theme };

export function setTheme(name: Theme): void {
  remember('theme', name);
  choose(name);
  applyTheme();
}

export function applyTheme(): void {
  document.documentElement.dataset['theme'] = theme();
  spelt.clear();
}

/** The colour that a custom property stands for now; canvases need it spelt out. */
export function colour(name: string): string {
  const before = spelt.get(name);
  if (before) return before;
  const probe = document.createElement('i');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  spelt.set(name, value);
  return value;
}
