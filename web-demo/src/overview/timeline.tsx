/** Traffic over time, a band a session: dragging, or Shift and arrows, chooses a range as time filter. */
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { createEffect, createMemo, createSignal, For, on, onCleanup, onMount, Show } from 'solid-js';
import type { Capture, Timeline } from '../engine.js';
import { bytes, number, short } from '../format.js';
import { latest } from '../latest.js';
import { capture, revision } from '../opened.js';
import { selection } from '../shown.js';
import { sessionLabel } from '../session.js';
import { language, t } from '../text/index.js';
import { colour, theme } from '../theme.js';
import { range, setRange } from '../view.js';

const BINS = 200;
const HEIGHT = 92;
/** Sessions that have a colour of their own; the rest is one band. */
const BANDS = 5;
/** A chart is drawn this much later than it could be, in milliseconds. */
const AFTER_ROWS = 40;
/** Which colour a session has, as long as it is among the busiest: a filter does not change it. */
const colours = new Map<number, number>();

interface Bands {
  times: number[];
  /** Labels and stacked values, the lowest band first. */
  bands: { label: string; colour: number; values: number[]; stacked: number[] }[];
}

export function TimelineStrip() {
  const [what, setWhat] = createSignal<'packets' | 'bytes'>('packets');
  const [cursor, setCursor] = createSignal<{ at: number; anchor: number }>();
  const asked = latest(
    () => { const open = capture(); return open && { capture: open, revision: revision(), selection: selection() }; },
    (ask: { capture: Capture; selection?: ReturnType<typeof selection> }) => ask.capture.timeline({ bins: BINS, selection: ask.selection }),
  );
  const bands = createMemo(() => { const answer = asked.answer(); language(); return answer && stack(answer, what()); });
  let host!: HTMLDivElement;
  let plot: uPlot | undefined;
  let timer = 0;

  const filterBy = (from: number, to: number): void => {
    const answer = asked.answer();
    if (!answer) return;
    const start = Number(answer.startNs) / 1e9;
    const at = (seconds: number) => answer.startNs + BigInt(Math.round((seconds - start) * 1e9));
    const [low, high] = [at(Math.min(from, to)), at(Math.max(from, to))];
    setRange({ from: low < answer.startNs ? answer.startNs : low, to: high > answer.endNs ? answer.endNs : high });
  };
  const draw = (): void => {
    const shown = bands();
    plot?.destroy();
    plot = undefined;
    if (shown && host.clientWidth > 0) plot = new uPlot(options(host.clientWidth, shown, what(), filterBy), data(shown), host);
  };
  onMount(() => {
    const resize = new ResizeObserver(() => plot?.setSize({ width: host.clientWidth, height: HEIGHT }));
    resize.observe(host);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', draw);
    onCleanup(() => { clearTimeout(timer); resize.disconnect(); dark.removeEventListener('change', draw); plot?.destroy(); });
  });
  // A chart with the same bands takes new values; another one is drawn anew, when the rows that came with it are painted.
  createEffect(on(bands, (shown, before) => {
    clearTimeout(timer);
    if (plot && shown && before && looks(shown) === looks(before)) plot.setData(data(shown));
    else timer = window.setTimeout(draw, AFTER_ROWS);
    return shown;
  }));
  createEffect(on([theme, language], draw, { defer: true }));
  createEffect(on(capture, () => colours.clear(), { defer: true }));

  const key = (event: KeyboardEvent): void => {
    const shown = bands();
    if (!shown) return;
    const count = shown.times.length;
    const now = cursor() ?? { at: 0, anchor: 0 };
    const moves: Record<string, number> = { ArrowLeft: now.at - 1, ArrowRight: now.at + 1, PageUp: now.at - 20, PageDown: now.at + 20, Home: 0, End: count - 1 };
    if (event.key in moves) {
      const at = Math.min(count - 1, Math.max(0, moves[event.key]!));
      setCursor({ at, anchor: event.shiftKey ? now.anchor : at });
    } else if (event.key === 'Enter') filterBy(shown.times[Math.min(now.at, now.anchor)]!, shown.times[Math.max(now.at, now.anchor)]! + step(shown));
    else if (event.key === 'Escape' && (range() || cursor())) { setRange(undefined); setCursor(undefined); }
    else return;
    event.preventDefault();
    showCursor(plot, shown, cursor());
  };
  const said = (): string => {
    const shown = bands();
    const place = cursor();
    if (!shown || !place) return '';
    const [low, high] = [Math.min(place.at, place.anchor), Math.max(place.at, place.anchor)];
    const sum = shown.bands.reduce((total, { values }) => total + values.slice(low, high + 1).reduce((a, b) => a + b, 0), 0);
    const size = what() === 'bytes' ? bytes(sum) : t().packets(sum, number(sum));
    return `${clock(shown.times[low]!)}–${clock(shown.times[high]! + step(shown))}: ${size}`;
  };

  return (
    <section class="timeline" aria-label={t().timeline}>
      <div class="timeline-chart" ref={host} tabindex="0" role="group" aria-label={`${t().timeline}. ${t().timelineHelp}`} onKeyDown={key} />
      <div class="timeline-side">
        <div class="timeline-choice">
          <div class="segmented" role="group" aria-label={t().timeline}>
            <button type="button" aria-pressed={what() === 'packets'} onClick={() => setWhat('packets')}>{t().timelineWhat.packets}</button>
            <button type="button" aria-pressed={what() === 'bytes'} onClick={() => setWhat('bytes')}>{t().timelineWhat.bytes}</button>
          </div>
          <details class="twin">
            <summary title={t().timelineTable} aria-label={t().timelineTable}>{t().table}</summary>
            <Show when={bands()}>{(shown) => <Twin bands={shown()} />}</Show>
          </details>
        </div>
        <ul class="legend">
          <For each={bands()?.bands}>{(band) => <li class="ellipsis" title={band.label}><i class={`swatch s${band.colour}`} /> {band.label}</li>}</For>
        </ul>
        <p class="num small said" role="status">{said()}</p>
      </div>
    </section>
  );
}

/** The same as a table, with a button a row that does what dragging does. */
function Twin(props: { bands: Bands }) {
  const rows = () => {
    const every = Math.max(1, Math.ceil(props.bands.times.length / 20));
    return Array.from({ length: Math.ceil(props.bands.times.length / every) }, (_, row) => ({
      at: props.bands.times[row * every]!,
      values: props.bands.bands.map(({ values }) => values.slice(row * every, (row + 1) * every).reduce((a, b) => a + b, 0)),
    }));
  };
  return (
    <div class="twin-table" tabindex="0" role="group" aria-label={t().timelineTable}>
      <table>
        <thead><tr><th scope="col">{t().from}</th><For each={props.bands.bands}>{({ label }) => <th scope="col" class="numeric">{label}</th>}</For></tr></thead>
        <tbody><For each={rows()}>{(row) => <tr><th scope="row" class="num">{clock(row.at)}</th><For each={row.values}>{(value) => <td class="num numeric">{number(Math.round(value))}</td>}</For></tr>}</For></tbody>
      </table>
    </div>
  );
}

function stack(answer: Timeline, what: 'packets' | 'bytes'): Bands {
  const bins = answer.packets[0]?.length ?? 0;
  const start = Number(answer.startNs) / 1e9;
  const width = Number(answer.endNs - answer.startNs) / 1e9 / Math.max(1, bins);
  const times = Array.from({ length: bins }, (_, bin) => start + bin * width);
  const sum = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);
  const rows = answer.sessions
    .map((session, place) => ({ session, label: session < 0 ? t().kinds.further : sessionLabel(session), values: Array.from(answer[what][place] ?? []), weight: sum(answer.packets[place] ?? []) }))
    .sort((a, b) => b.weight - a.weight);
  const rest = rows.splice(BANDS);
  const colour = colourOf(rows.map(({ session }) => session));
  if (rest.length > 0) rows.push({ session: REST, label: t().more(number(rest.length)), values: times.map((_, bin) => rest.reduce((total, { values }) => total + (values[bin] ?? 0), 0)), weight: 0 });
  const level = new Array<number>(bins).fill(0);
  const bands = rows.map(({ session, label, values }) => ({ label, colour: session === REST ? BANDS : colour(session), values, stacked: values.map((value, bin) => (level[bin] = (level[bin] ?? 0) + value)) }));
  return { times, bands };
}

/** Stands for the sessions that have no band of their own. */
const REST = -2;

/** Gives each of `shown` a colour that no other of them has; those that have one keep it. */
function colourOf(shown: number[]): (session: number) => number {
  for (const session of shown.filter((session) => !colours.has(session))) {
    const taken = shown.map((other) => colours.get(other));
    const free = Array.from({ length: BANDS }, (_, at) => at).find((at) => !taken.includes(at)) ?? 0;
    for (const [other, at] of colours) if (at === free) colours.delete(other);
    colours.set(session, free);
  }
  return (session) => colours.get(session) ?? 0;
}

const looks = ({ bands }: Bands): string => JSON.stringify(bands.map(({ label, colour }) => [label, colour]));

/** The highest band is drawn first, the lower ones over it. */
function data(bands: Bands): uPlot.AlignedData {
  return [bands.times, ...bands.bands.map(({ stacked }) => stacked).reverse()] as uPlot.AlignedData;
}

function options(width: number, shown: Bands, what: 'packets' | 'bytes', filterBy: (from: number, to: number) => void): uPlot.Options {
  const [text, line] = [colour('--text-dim'), colour('--line')];
  const bars = uPlot.paths.bars!({ size: [1, Infinity], align: 1, gap: 1 });
  const axis: uPlot.Axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: '11px system-ui, sans-serif' };
  return {
    width,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
    scales: { x: { time: true, range: (_, min, max) => [min, max + step(shown)] }, y: { range: (_, __, max) => [0, Math.max(1, max * 1.05)] } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
    axes: [{ ...axis, size: 22, space: 90, values: (_, splits) => splits.map((seconds) => clock(seconds, (splits[1] ?? 0) - (splits[0] ?? 0) < 1)) }, { ...axis, size: 56, space: 24, values: (_, splits) => splits.map((value) => (what === 'bytes' ? bytes(value) : short(value))) }],
    series: [{}, ...shown.bands.map(({ label, colour: number }): uPlot.Series => ({ label, fill: colour(`--series-${number}`), width: 0, paths: bars, points: { show: false } })).reverse()],
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width: across } = plot.select;
          if (across < 3) return;
          filterBy(plot.posToVal(left, 'x'), plot.posToVal(left + across, 'x'));
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

function showCursor(plot: uPlot | undefined, shown: Bands, place: { at: number; anchor: number } | undefined): void {
  if (!plot) return;
  const [low, high] = place ? [Math.min(place.at, place.anchor), Math.max(place.at, place.anchor)] : [0, -1];
  const left = place ? plot.valToPos(shown.times[low]!, 'x') : 0;
  const right = place ? plot.valToPos(shown.times[high]! + step(shown), 'x') : 0;
  plot.setSelect({ left, top: 0, width: right - left, height: plot.over.clientHeight }, false);
}

const step = ({ times }: Bands): number => (times.length > 1 ? times[1]! - times[0]! : 1);

/** Time of day, UTC; finely with milliseconds. */
function clock(seconds: number, isFine = false): string {
  return new Date(Math.round(seconds * 1000)).toISOString().slice(11, isFine ? 23 : 19);
}
