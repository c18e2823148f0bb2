/** The status bar: how far reading is, what is shown, and that nothing was sent. */
import { createEffect, createSignal, Show } from 'solid-js';
import { bytes, duration, number, percent } from './format.js';
import { LiveStatus } from './live/controls.js';
import { packetCount, phase, progress, stop } from './opened.js';
import { isFiltering, shownCount } from './shown.js';
import { t } from './text/index.js';

/** A screen reader is told no more often than this, in milliseconds. */
const TELL_EVERY = 5000;

export function StatusBar() {
  const share = () => {
    const now = progress();
    return now?.totalBytes ? Math.min(1, now.bytes / now.totalBytes) : 0;
  };
  const rate = () => {
    const now = progress();
    return now ? now.bytes / Math.max(0.001, (performance.now() - now.startedAt) / 1000) : 0;
  };
  const left = () => {
    const now = progress();
    return now?.totalBytes && rate() > 0 ? ((now.totalBytes - now.bytes) / rate()) * 1e9 : 0;
  };
  return (
    <footer class="status">
      <Show when={phase() === 'reading'}>
        <progress aria-label={t().reading} max="1" value={share()} />
        <span class="num">{percent(share(), 1)}</span>
        <span class="num">{bytes(progress()?.bytes ?? 0)}</span>
        <span class="num">{t().perSecond(bytes(rate()))}</span>
        <Show when={share() > 0}><span class="num">{t().timeLeft(duration(left()))}</span></Show>
        <button type="button" class="small-button" onClick={stop} aria-keyshortcuts="Escape">{t().stop}</button>
      </Show>
      <Show when={phase() === 'stopped'}><span>{t().stopped(percent(share(), 1), number(packetCount()))}</span></Show>
      <Show when={phase() === 'read'}><span>{t().done}</span></Show>
      <Show when={phase() === 'live'}><LiveStatus /></Show>
      <span class="num">{t().matches(number(shownCount()), number(packetCount()))}</span>
      <Show when={isFiltering() && phase() !== 'reading'}><span class="dim">{t().filtering}…</span></Show>
      <span class="spacer" />
      <Show when={phase() !== 'live'}><span class="dim">{t().zeroSent}</span></Show>
      <Teller text={phase() === 'reading' ? `${t().reading} ${percent(share(), 1)}` : phase() === 'stopped' ? t().stopped(percent(share(), 1), number(packetCount())) : t().matches(number(shownCount()), number(packetCount()))} />
    </footer>
  );
}

/** One polite message at a time, the newest. */
function Teller(props: { text: string }) {
  const [said, setSaid] = createSignal('');
  let timer = 0;
  createEffect(() => {
    void props.text;
    if (timer) return;
    timer = window.setTimeout(() => {
      timer = 0;
      setSaid(props.text);
    }, said() ? TELL_EVERY : 400);
  });
  return <span role="status" class="visually-hidden">{said()}</span>;
}
