/** All packets, and of the chosen one its layers and octets. */
import { createEffect, createMemo, createSignal, For, on, Show } from 'solid-js';
import type { Capture, Row } from '../engine.js';
import { number, type TimeStyle } from '../format.js';
import { GridView } from '../grid/view.js';
import type { Grid } from '../grid/grid.js';
import { latest } from '../latest.js';
import { labels } from '../labels.js';
import { gaps } from '../live/gaps.js';
import { liveIsFollowing } from '../live/live.js';
import { capture, firstKept } from '../opened.js';
import { firstNs, selection, sessions, shownCount } from '../shown.js';
import { language, t } from '../text/index.js';
import { COLUMNS, columns, filter, marked, packet, range, setColumns, setMarked, setPacket, setTimeStyle, timeStyle, within, type Column } from '../view.js';
import { gridColumns, rowClass } from './columns.js';
import { Detail } from './detail.js';
import { goToMark } from './marks.js';

export function PacketsPanel() {
  let grid: Grid<Row> | undefined;
  const shape = createMemo(() => { language(); timeStyle(); return gridColumns(columns()); });
  // A growing selection keeps its rows; another filter does not.
  const meaning = createMemo(() => [capture(), selection()?.expr, range(), within(), firstKept()]);
  const look = createMemo(() => [timeStyle(), language(), sessions(), firstNs(), labels(), marked(), gaps()]);
  const position = latest(
    () => { const open = capture(); const index = packet(); return open && index !== undefined ? { open, index, selection: selection(), first: firstKept() } : undefined; },
    ({ open, index, selection, first }) => (selection ? open.indexOf(selection, index) : Promise.resolve(index - first)),
  );
  const fetch = (from: number, count: number): Promise<Row[]> => (capture() as Capture).rows({ selection: selection(), from: selection() ? from : from + firstKept(), count });
  // A row that was not read yet when it was chosen tells its packet when it is.
  const choose = async (at: number, row: Row | undefined): Promise<void> => {
    const chosen = row ?? (await fetch(at, 1).catch(() => []))[0];
    if (chosen) setPacket(chosen.index);
  };
  createEffect(on(packet, (index) => index === undefined && grid?.choose(-1), { defer: true }));
  return (
    <div class="packets">
      <h1 class="visually-hidden">{t().tabs.packets}</h1>
      <div class="packets-table">
        <Tools />
        <Show when={shownCount() > 0} fallback={<p class="wait">{filter() || range() || within() ? t().noMatch : t().noPackets}</p>}>
          <GridView<Row>
            ref={(made) => (grid = made)}
            label={t().packetsGrid}
            columns={shape()}
            count={shownCount()}
            meaning={meaning()}
            look={look()}
            rowClass={rowClass}
            chosen={packet() === undefined ? -1 : position.answer()}
            follows={liveIsFollowing()}
            fetch={fetch}
            onChoose={(at, row) => void choose(at, row)}
            onOpen={() => document.querySelector<HTMLElement>('[role=tree]')?.focus()}
          />
        </Show>
      </div>
      <Splitter />
      <Detail />
    </div>
  );
}

/** Which columns, and how times are written. */
function Tools() {
  const toggle = (name: Column, isOn: boolean): void => {
    const next = COLUMNS.filter((other) => (other === name ? isOn : columns().includes(other)));
    if (next.length > 0) setColumns(next);
  };
  return (
    <div class="tools">
      <details class="menu">
        <summary>{t().columns}</summary>
        <fieldset>
          <legend class="visually-hidden">{t().columns}</legend>
          <For each={COLUMNS}>{(name) => <label class="check"><input type="checkbox" checked={columns().includes(name)} onChange={(event) => toggle(name, event.currentTarget.checked)} /> {t().columnNames[name]}</label>}</For>
        </fieldset>
      </details>
      <label>{t().timeAs} <select onChange={(event) => setTimeStyle(event.currentTarget.value as TimeStyle)}>
        <For each={Object.keys(t().times) as TimeStyle[]}>{(style) => <option value={style} selected={timeStyle() === style}>{t().times[style]}</option>}</For>
      </select></label>
      <Show when={marked().length}>
        <span class="row marks-tools" role="group" aria-label={t().marksLong.marked}>
          <span class="num"><span class="star" aria-hidden="true">★</span> {t().marksLong.marked} {number(marked().length)}</span>
          <button type="button" class="small-button" aria-label={t().markBefore} aria-keyshortcuts="N" onClick={() => goToMark(false)}>↑</button>
          <button type="button" class="small-button" aria-label={t().markNext} aria-keyshortcuts="n" onClick={() => goToMark(true)}>↓</button>
          <button type="button" class="small-button" onClick={() => setMarked([])}>{t().marksClear}</button>
        </span>
      </Show>
    </div>
  );
}

/** Shares the height between table and packet, by pointer or keys. */
function Splitter() {
  const [share, setShare] = createSignal(55);
  let element!: HTMLDivElement;
  createEffect(() => element.parentElement?.style.setProperty('--table-share', `${share()}%`));
  const set = (value: number) => setShare(Math.min(85, Math.max(15, Math.round(value))));
  const drag = (event: PointerEvent): void => {
    if (!element.hasPointerCapture(event.pointerId)) return;
    const box = element.parentElement!.getBoundingClientRect();
    set((100 * (event.clientY - box.top)) / box.height);
  };
  const key = (event: KeyboardEvent): void => {
    const step = { ArrowUp: -5, ArrowDown: 5 }[event.key];
    if (!step) return;
    event.preventDefault();
    set(share() + step);
  };
  return <div ref={element} class="splitter" role="separator" aria-orientation="horizontal" aria-label={t().splitter} aria-valuenow={share()} aria-valuemin="15" aria-valuemax="85" tabindex="0" onKeyDown={key} onPointerDown={(event) => element.setPointerCapture(event.pointerId)} onPointerMove={drag} />;
}
