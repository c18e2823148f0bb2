/** The language that is spoken: chosen, else the browser's. */
import { createSignal } from 'solid-js';
import { remembered, remember } from '../remember.js';
import { en, type Text } from './en.js';
import { ja } from './ja.js';

const LANGUAGES = { en, ja } satisfies Record<string, Text>;
export type Language = keyof typeof LANGUAGES;
export const languages = Object.keys(LANGUAGES) as Language[];

const [language, choose] = createSignal<Language>(initial());
export { language };

/** The texts of the language. */
export const t = (): Text => LANGUAGES[language()];

/** The name of `code` in itself. */
export const nameOf = (code: Language): string => LANGUAGES[code].language;

export function speak(code: Language): void {
  remember('language', code);
  document.documentElement.lang = code;
  choose(code);
}

function initial(): Language {
  const wished = [remembered('language'), ...navigator.languages.map((tag) => tag.split('-')[0])];
  const found = wished.find((code) => code && code in LANGUAGES) as Language | undefined;
  document.documentElement.lang = found ?? 'en';
  return found ?? 'en';
}
