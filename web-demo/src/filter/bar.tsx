/** The filter: typed, completed from what the capture holds, and underlined where it cannot be read. */
import { createEffect, createSignal, For, on, Show } from 'solid-js';
import { capture, packetCount } from '../opened.js';
import { fault, isFiltering, selectionError, shownCount } from '../shown.js';
import type { Completion } from '../engine.js';
import { moment, number, plain } from '../format.js';
import { t } from '../text/index.js';
import { filter, range, setFilter, setRange, setTyping, setWithin, typing, within } from '../view.js';
import { isSaved, keep, past, saved, toggleSaved } from './history.js';

/** A filter is judged when no key was pressed for this long, in milliseconds. */
const JUDGE_AFTER = 40;
const MAX_SHOWN = 12;

/** What can be taken: from the decoder, or from before. */
type Offer = Omit<Completion, 'kind'> & { kind: Completion['kind'] | 'history' | 'saved' };

export function FilterBar() {
  const [draft, setDraft] = createSignal(filter());
  const [list, setList] = createSignal<Offer[]>([]);
  const [chosen, setChosen] = createSignal(-1);
  const [isOpen, setIsOpen] = createSignal(false);
  let input!: HTMLInputElement;
  let under!: HTMLDivElement;
  let timer = 0;
  let isComposing = false;
  let asked = 0;

  // The filter may change elsewhere: by Back, or by pointing at a value.
  createEffect(on(filter, (text) => text !== draft().trim() && setDraft(text)));

  const judge = (now = false): void => {
    clearTimeout(timer);
    timer = window.setTimeout(() => setFilter(draft().trim()), now ? 0 : JUDGE_AFTER);
  };
  const typed = (): void => {
    setDraft(input.value);
    if (isComposing) return;
    const folded = folds(input.value);
    if (folded !== input.value) {
      const at = input.selectionStart ?? folded.length;
      setDraft(folded);
      input.value = folded;
      input.setSelectionRange(at, at);
    }
    judge();
    void complete();
  };
  const complete = async (): Promise<void> => {
    const ask = (asked += 1);
    const text = input.value;
    const cursor = input.selectionStart ?? text.length;
    const found = text.trim() === '' ? before(text.length) : await capture()?.complete(text, cursor).catch(() => []);
    if (ask !== asked) return;
    setList((found ?? []).slice(0, MAX_SHOWN));
    setChosen(-1);
    setIsOpen(list().length > 0 && document.activeElement === input);
  };
  const take = (completion: Offer): void => {
    const text = draft().slice(0, completion.from) + completion.text + draft().slice(completion.to);
    setDraft(text);
    input.value = text;
    const at = completion.from + completion.text.length;
    input.focus();
    input.setSelectionRange(at, at);
    setIsOpen(false);
    judge(completion.kind === 'history' || completion.kind === 'saved');
  };
  const key = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    const choice = list()[chosen()];
    if (step !== 0) {
      event.preventDefault();
      if (!isOpen()) return void complete();
      setChosen((before) => (before + step + list().length + 1) % (list().length + 1));
      if (chosen() === list().length) setChosen(-1);
    } else if ((event.key === 'Enter' || event.key === 'Tab') && isOpen() && choice) {
      event.preventDefault();
      take(choice);
    } else if (event.key === 'Enter') {
      setIsOpen(false);
      judge(true);
      keep(draft());
      setTyping(typing() + 1);
    } else if (event.key === 'Escape') {
      event.preventDefault();
      if (isOpen()) setIsOpen(false);
      else document.querySelector<HTMLElement>('#main [role=grid]')?.focus();
    }
  };
  const leave = (): void => {
    setIsOpen(false);
    if (!selectionError()) keep(draft());
  };
  const message = () => fault()?.message ?? (selectionError() as Error | undefined)?.message;

  return (
    <div class="filterbar" role="search">
      <div class="filter-field" classList={{ bad: Boolean(message()), on: filter() !== '' && !message() }}>
        <div class="filter-under" ref={under} aria-hidden="true">
          <Show when={fault()}>
            {(span) => <><span>{draft().slice(0, span().from)}</span><u>{draft().slice(span().from, Math.max(span().to, span().from + 1)) || ' '}</u></>}
          </Show>
        </div>
        <input
          id="filter"
          ref={input}
          type="text"
          role="combobox"
          aria-label={t().filter}
          aria-autocomplete="list"
          aria-expanded={isOpen()}
          aria-controls="filter-list"
          aria-activedescendant={isOpen() && chosen() >= 0 ? `filter-option-${chosen()}` : undefined}
          aria-invalid={Boolean(message())}
          aria-describedby="filter-says"
          aria-keyshortcuts="/"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          placeholder={t().filterHint}
          value={draft()}
          onFocus={() => { setTyping(typing() + 1); if (!draft()) void complete(); }}
          onInput={typed}
          onCompositionStart={() => (isComposing = true)}
          onCompositionEnd={() => { isComposing = false; typed(); }}
          onKeyDown={key}
          onBlur={leave}
          onScroll={() => (under.scrollLeft = input.scrollLeft)}
        />
        <Show when={draft()}>
          <button type="button" class="quiet keep" aria-label={t().filterSave} title={t().filterSave} aria-pressed={isSaved(draft())} disabled={Boolean(message())} onClick={() => toggleSaved(draft())}>{isSaved(draft()) ? '★' : '☆'}</button>
          <button type="button" class="quiet clear" aria-label={t().filterClear} onClick={() => { setDraft(''); setFilter(''); input.focus(); }}>✕</button>
        </Show>
        <ul id="filter-list" role="listbox" aria-label={draft() ? t().filter : t().filterHistory} class="completions" hidden={!isOpen()}>
          <For each={list()}>
            {(item, index) => (
              <li id={`filter-option-${index()}`} role="option" aria-selected={index() === chosen()} onPointerDown={(event) => { event.preventDefault(); take(item); }}>
                <code><Show when={item.kind === 'saved'}><span class="star">★ </span></Show>{plain(item.text)}</code>
                <span class="dim">{plain(item.detail)}</span>
              </li>
            )}
          </For>
        </ul>
      </div>
      <div class="filter-says" id="filter-says">
        <Show when={message()} fallback={<span class="num dim" classList={{ busy: isFiltering() }}>{t().matches(number(shownCount()), number(packetCount()))}</span>}>
          <span class="bad-text">{plain(message()!)}</span>
          <Show when={fault()?.suggestion}>
            {(text) => <button type="button" class="small-button" onClick={() => { setDraft(fixed(draft(), fault()!, text())); setFilter(draft().trim()); }}>{t().useSuggestion(text())}</button>}
          </Show>
        </Show>
      </div>
      <Show when={within()}>
        {(set) => <span class="chip"><span>{withinLabel(set())}</span><button type="button" class="quiet" aria-label={t().filterClear} onClick={() => setWithin('')}>✕</button></span>}
      </Show>
      <Show when={range()}>
        {(time) => (
          <span class="chip">
            <span class="num">{moment(time().from).slice(11)}–{moment(time().to).slice(11)}</span>
            <button type="button" class="quiet" aria-label={t().clearTime} onClick={() => setRange(undefined)}>✕</button>
          </span>
        )}
      </Show>
    </div>
  );
}

/** The filters of before: saved ones first. */
function before(len: number): Offer[] {
  const offer = (kind: 'saved' | 'history') => (text: string): Offer => ({ text, kind, from: 0, to: len, detail: '' });
  return [...saved().map(offer('saved')), ...past().filter((text) => !isSaved(text)).map(offer('history'))];
}

function withinLabel(set: string): string {
  const [kind, name = ''] = set.split(':');
  return kind === 'flow' ? `${t().columnNames.flow} ${number(Number(name) + 1)}` : (t().problemKinds[name]?.[0] ?? name);
}

/** Full-width letters, digits and signs as a Japanese keyboard gives them, folded to what the language knows. */
function folds(text: string): string {
  return /[\u3000\uff01-\uff5e]/.test(text) ? text.normalize('NFKC') : text;
}

function fixed(text: string, { from, to }: { from: number; to: number }, suggestion: string): string {
  return text.slice(0, from) + suggestion + text.slice(to);
}
