/** The top bar: whose page, what is open, and what can be done with the whole of it. */
import { For, Show } from 'solid-js';
import { setExportIsOpen, setHelpIsOpen } from './dialogs/open.js';
import { bytes, number, plain } from './format.js';
import { LiveControls } from './live/controls.js';
import { capture, close, openFiles, packetCount, phase, sources } from './opened.js';
import { choose, language, languages, nameOf, t, type Language } from './text/index.js';
import { setTheme, theme, THEMES, type Theme } from './theme.js';
import { openSample, SAMPLES } from './samples.js';

export function TopBar() {
  let chooser!: HTMLInputElement;
  return (
    <header class="topbar">
      <button type="button" class="brand" onClick={close} aria-label="Mirrorscope">
        <Mark />
        <span>Mirrorscope</span>
      </button>
      <Show when={capture() && phase() !== 'failed'}>
        <p class="what" title={sources().map(({ name }) => plain(name)).join('\n')}>
          <Show when={phase() !== 'live'} fallback={<LiveControls />}>
            <b>{plain(sources()[0]?.name ?? '')}</b>
            <Show when={sources().length > 1}> +{sources().length - 1}</Show>
            <span class="dim">{bytes(sources().reduce((sum, { size }) => sum + size, 0))}</span>
            <span class="dim">{t().packets(packetCount(), number(packetCount()))}{phase() === 'reading' ? ` ${t().soFar}` : ''}</span>
          </Show>
        </p>
      </Show>
      <div class="actions">
        <button type="button" onClick={() => chooser.click()}>{t().open}</button>
        <input id="choose" ref={chooser} type="file" multiple hidden onChange={(event) => { void openFiles([...(event.currentTarget.files ?? [])]); event.currentTarget.value = ''; }} />
        <Show when={capture() && phase() !== 'failed'}>
          <button type="button" onClick={() => setExportIsOpen(true)} disabled={packetCount() === 0}>{t().export}</button>
        </Show>
        <select class="narrow-hide" aria-label={t().sample} onChange={(event) => { const chosen = SAMPLES.find(({ key }) => key === event.currentTarget.value); event.currentTarget.selectedIndex = 0; if (chosen) void openSample(chosen); }}>
          <option value="">{t().sample}</option>
          <For each={SAMPLES}>{({ key }) => <option value={key}>{t().samples[key]}</option>}</For>
        </select>
        <select aria-label={t().languageName} onChange={(event) => void choose(event.currentTarget.value as Language)}>
          <For each={languages}>{(code) => <option value={code} lang={code} selected={language() === code}>{nameOf(code)}</option>}</For>
        </select>
        <select aria-label={t().theme} onChange={(event) => setTheme(event.currentTarget.value as Theme)}>
          <For each={THEMES}>{(name) => <option value={name} selected={theme() === name}>{t().themes[name]}</option>}</For>
        </select>
        <button type="button" class="quiet" onClick={() => setHelpIsOpen(true)} aria-label={t().help} aria-keyshortcuts="?">?</button>
      </div>
    </header>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true" class="mark">
      <rect x="3" y="3" width="26" height="26" rx="5" class="mark-outer" />
      <rect x="9" y="9" width="14" height="14" rx="3" class="mark-mirror" />
      <rect x="14" y="14" width="4" height="4" rx="1" class="mark-inner" />
    </svg>
  );
}
