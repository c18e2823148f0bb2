/** What is looked at: kept in the address's fragment, which no server sees, so that Back works and links can be shared. */
import { batch, createEffect, createRoot, createSignal, on, untrack } from 'solid-js';
import type { FlowSort } from './engine.js';
import type { TimeStyle } from './format.js';

export type Tab = 'overview' | 'packets' | 'flows' | 'problems' | 'workshop';
export const TABS: Tab[] = ['overview', 'packets', 'flows', 'problems', 'workshop'];
export const COLUMNS = ['number', 'time', 'session', 'src', 'dst', 'protocol', 'length', 'info', 'marks', 'flow'] as const;
export type Column = (typeof COLUMNS)[number];
const USUAL: Column[] = ['number', 'time', 'session', 'src', 'dst', 'protocol', 'length', 'info', 'marks'];
const STYLES: TimeStyle[] = ['relative', 'utc', 'local'];

/** Marks that a link can hold. */
export const MAX_MARKS = 100;

export interface Range {
  from: bigint;
  to: bigint;
}

export interface Sort {
  by: FlowSort;
  descending: boolean;
}

export const [tab, setTab] = createSignal<Tab>('overview');
export const [filter, setFilter] = createSignal('');
export const [range, setRange] = createSignal<Range | undefined>(undefined);
/** What the filter language cannot say, and what is shown must be in as well: `problem:duplicate`, `flow:12`. */
export const [within, setWithin] = createSignal('');
/** Index of the chosen packet. */
export const [packet, setPacket] = createSignal<number | undefined>(undefined);
/** Indices of packets that were marked to be found again, ascending. */
export const [marked, setMarked] = createSignal<readonly number[]>([]);
export const [columns, setColumns] = createSignal<Column[]>(USUAL);
export const [timeStyle, setTimeStyle] = createSignal<TimeStyle>('relative');
export const [sort, setSort] = createSignal<Sort>({ by: 'bytes', descending: true });
/** Counts the times that someone began to type a filter: one way back for each, not for each letter. */
export const [typing, setTyping] = createSignal(0);
/** Name and fingerprint of the file that a link was made for. */
export const [madeFor, setMadeFor] = createSignal('');

/** The view as a fragment, without what is as usual. */
export function fragment(): string {
  const members = new URLSearchParams();
  if (tab() !== 'overview') members.set('tab', tab());
  if (filter()) members.set('filter', filter());
  if (within()) members.set('within', within());
  const chosen = range();
  if (chosen) members.set('time', `${chosen.from}-${chosen.to}`);
  const index = packet();
  if (index !== undefined) members.set('packet', String(index + 1));
  if (marked().length) members.set('marks', marked().map((index) => index + 1).join());
  if (columns().join() !== USUAL.join()) members.set('columns', columns().join());
  if (timeStyle() !== 'relative') members.set('clock', timeStyle());
  if (sort().by !== 'bytes' || !sort().descending) members.set('sort', (sort().descending ? '-' : '') + sort().by);
  if (madeFor()) members.set('file', madeFor());
  return members.toString();
}

/** Takes the view from a fragment; what cannot be understood is as usual. */
export function takeFragment(text: string): void {
  const members = new URLSearchParams(text.replace(/^#/, ''));
  batch(() => {
    const wished = members.get('tab') as Tab;
    setTab(TABS.includes(wished) ? wished : 'overview');
    setFilter(members.get('filter') ?? '');
    const set = members.get('within') ?? '';
    setWithin(/^(problem:[a-z-]{1,30}|flow:\d{1,10})$/.test(set) ? set : '');
    const time = /^(\d{1,20})-(\d{1,20})$/.exec(members.get('time') ?? '');
    setRange(time ? { from: BigInt(time[1]!), to: BigInt(time[2]!) } : undefined);
    const number = Number(members.get('packet') ?? NaN);
    setPacket(isPacketNumber(number) ? number - 1 : undefined);
    const marks = (members.get('marks') ?? '').split(',').map(Number).filter(isPacketNumber);
    setMarked([...new Set(marks)].sort((a, b) => a - b).slice(0, MAX_MARKS).map((number) => number - 1));
    const named = (members.get('columns') ?? '').split(',').filter((name): name is Column => COLUMNS.includes(name as Column));
    setColumns(named.length ? [...new Set(named)] : USUAL);
    const style = members.get('clock') as TimeStyle;
    setTimeStyle(STYLES.includes(style) ? style : 'relative');
    const by = members.get('sort');
    if (by) setSort({ by: by.replace(/^-/, '') as FlowSort, descending: by.startsWith('-') });
    setMadeFor(members.get('file') ?? '');
  });
}

const isPacketNumber = (number: number): boolean => Number.isSafeInteger(number) && number > 0;

/** Keeps address and view the same. Moves between views and filters can be gone back on; the rest only follows. */
export function followAddress(): void {
  takeFragment(location.hash);
  addEventListener('popstate', () => takeFragment(location.hash));
  createRoot(() => {
    const place = () => JSON.stringify([tab(), filter(), within(), String(range()?.from), String(range()?.to)]);
    let last = untrack(place);
    let lastTyping = 0;
    createEffect(
      on(fragment, (text) => {
        const isSameTyping = untrack(typing) !== 0 && untrack(typing) === lastTyping;
        const isMove = untrack(place) !== last && !isSameTyping;
        last = untrack(place);
        lastTyping = untrack(typing);
        if (text === location.hash.slice(1)) return;
        const url = text ? `#${text}` : location.pathname + location.search;
        if (isMove) history.pushState(null, '', url);
        else history.replaceState(null, '', url);
      }),
    );
  });
}

/** Shows what no filter can say, of what passes the filter. */
export function showWithin(set: string): void {
  batch(() => {
    setTyping(0);
    setWithin(set);
    setTab('packets');
  });
}
