/** The page: top bar, filter, timeline, the chosen view, status; or the invitation where nothing is open. */
import { createEffect, createSignal, For, Match, onCleanup, onMount, Show, Switch } from 'solid-js';
import { Dynamic } from 'solid-js/web';
import { Empty } from './empty.js';
import { exportIsOpen, helpIsOpen } from './dialogs/open.js';
import { FilterBar } from './filter/bar.js';
import { listenToKeys } from './keys.js';
import { later } from './later.js';
import { Notices } from './notices.js';
import { capture, openFiles, phase } from './opened.js';
import { PANELS } from './panels.js';
import { fault } from './shown.js';
import { StatusBar } from './status.js';
import { t } from './text/index.js';
import { TopBar } from './topbar.js';
import { fragment, setTab, tab } from './view.js';

const TimelineStrip = later(() => import('./overview/timeline.js').then(({ TimelineStrip }) => TimelineStrip));
const ExportDialog = later(() => import('./dialogs/export.js').then(({ ExportDialog }) => ExportDialog));
const HelpDialog = later(() => import('./dialogs/help.js').then(({ HelpDialog }) => HelpDialog));

export function App() {
  const [isOver, setIsOver] = createSignal(false);
  onMount(() => {
    onCleanup(listenToKeys());
    onCleanup(takeDrops(setIsOver));
  });
  createEffect(() => {
    document.title = capture() ? `${t().tabs[tab()]} · Mirrorscope` : 'Mirrorscope';
  });
  return (
    <div class="page" classList={{ 'is-over': isOver(), 'has-capture': Boolean(capture()) }}>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById('main')?.focus(); }}>{t().skip}</a>
      <TopBar />
      <Show when={capture() && phase() !== 'failed'} fallback={<Empty />}>
        <FilterBar />
        <div class="timeline-place"><TimelineStrip /></div>
        <nav class="tabs" aria-label={t().sections}>
          <For each={PANELS}>
            {({ tab: name }) => (
              <a href={`#${fragment()}`} aria-current={tab() === name ? 'page' : undefined} onClick={(event) => { event.preventDefault(); setTab(name); }}>
                {t().tabs[name]}
              </a>
            )}
          </For>
        </nav>
        <main id="main" tabindex="-1" class="main" data-tab={tab()} classList={{ stale: Boolean(fault()) }}>
          <Notices />
          <Switch>
            <For each={PANELS}>
              {(panel) => (
                <Match when={tab() === panel.tab}>
                  <Dynamic component={panel.view} />
                </Match>
              )}
            </For>
          </Switch>
        </main>
        <StatusBar />
      </Show>
      <Show when={exportIsOpen()}><ExportDialog /></Show>
      <Show when={helpIsOpen()}><HelpDialog /></Show>
      <div class="veil" aria-hidden="true">{t().drop}</div>
    </div>
  );
}

/** Files may be dropped or pasted anywhere. */
function takeDrops(setIsOver: (isOver: boolean) => void): () => void {
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
  const over = (event: DragEvent) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    setIsOver(true);
  };
  const leave = (event: DragEvent) => event.relatedTarget === null && setIsOver(false);
  const drop = (event: DragEvent) => {
    setIsOver(false);
    if (!hasFiles(event)) return;
    event.preventDefault();
    void openFiles([...(event.dataTransfer?.files ?? [])]);
  };
  const paste = (event: ClipboardEvent) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) void openFiles(files);
  };
  const listeners: [string, (event: never) => void][] = [['dragover', over], ['dragleave', leave], ['drop', drop], ['paste', paste]];
  listeners.forEach(([name, listener]) => addEventListener(name, listener as EventListener));
  return () => listeners.forEach(([name, listener]) => removeEventListener(name, listener as EventListener));
}
