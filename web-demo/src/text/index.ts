/** The language that is spoken: chosen, else the browser's. A language is fetched when it is first spoken. */
import { createSignal } from 'solid-js';
import { alsoLater } from '../later.js';
import { remembered, remember } from '../remember.js';
import type { Text } from './en.js';

/** What each language is called in itself, and where its texts are. */
const LANGUAGES = {
  en: { name: 'English', load: () => import('./en.js').then(({ en }): Text => en) },
  ja: { name: '日本語', load: () => import('./ja.js').then(({ ja }): Text => ja) },
};
export type Language = keyof typeof LANGUAGES;
export const languages = Object.keys(LANGUAGES) as Language[];

const [spoken, setSpoken] = createSignal<{ code: Language; text: Text }>();
for (const { load } of Object.values(LANGUAGES)) alsoLater(load);

export const language = (): Language => spoken()!.code;

/** The texts of the language. */
export const t = (): Text => spoken()!.text;

export const nameOf = (code: Language): string => LANGUAGES[code].name;

/** Speaks the language that was chosen, or that the browser wishes; the page begins when it can. */
export function beginToSpeak(): Promise<void> {
  const wished = [remembered('language'), ...navigator.languages.map((tag) => tag.split('-')[0])];
  return speak((wished.find((code) => code && code in LANGUAGES) as Language | undefined) ?? 'en');
}

export async function choose(code: Language): Promise<void> {
  remember('language', code);
  await speak(code);
}

async function speak(code: Language): Promise<void> {
  const text = await LANGUAGES[code].load();
  document.documentElement.lang = code;
  setSpoken({ code, text });
}
