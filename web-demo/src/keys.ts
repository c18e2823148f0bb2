/** The keys that work anywhere; those of a table belong to it. */
import { createSignal } from 'solid-js';
import { setExportIsOpen, setHelpIsOpen } from './dialogs/open.js';
import { capture, phase, stop } from './opened.js';
import { remember, remembered } from './remember.js';
import { goToMark, toggleMark } from './packets/marks.js';
import { setTab, tab, TABS } from './view.js';

/** Single letters can be switched off, for those who speak to the page (WCAG 2.1.4). */
export const [lettersAreOn, setLetters] = createSignal(remembered('letters') !== 'off');

export function switchLetters(areOn: boolean): void {
  remember('letters', areOn ? 'on' : 'off');
  setLetters(areOn);
}

export function listenToKeys(): () => void {
  const listener = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector('dialog[open]')) return;
    if (event.key === 'Escape' && phase() === 'reading') return stop();
    if (!lettersAreOn() || isTyping(event.target)) return;
    const act = actions[event.key] ?? tabAction(event.key);
    if (!act) return;
    event.preventDefault();
    act();
  };
  addEventListener('keydown', listener);
  return () => removeEventListener('keydown', listener);
}

const actions: Record<string, () => void> = {
  '/': () => document.getElementById('filter')?.focus(),
  '?': () => setHelpIsOpen(true),
  e: () => capture() && setExportIsOpen(true),
  m: () => tab() === 'packets' && toggleMark(),
  n: () => tab() === 'packets' && goToMark(true),
  N: () => tab() === 'packets' && goToMark(false),
  o: () => document.getElementById('choose')?.click(),
};

function tabAction(key: string): (() => void) | undefined {
  const name = TABS[Number(key) - 1];
  return name && capture() ? () => setTab(name) : undefined;
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input:not([type=checkbox],[type=radio],[type=file]), textarea, select, [contenteditable]');
}
