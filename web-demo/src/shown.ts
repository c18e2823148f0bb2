/** What of the capture is shown: what passes the filter and lies in the time range, and what is in it. */
import { createEffect, createMemo, createRoot, createSignal } from 'solid-js';
import { choose, filterFault, type Capture, type Overview, type Selection, type Session } from './engine.js';
import { latest } from './latest.js';
import { capture, firstKept, keptCount, packetCount, revision } from './opened.js';
import { filter, range, tab, within, type Tab } from './view.js';

/** Views that show what a capture consists of. */
const SHOW_OVERVIEW: Tab[] = ['overview', 'workshop'];

interface Question {
  capture: Capture;
  revision: number;
  expr: string;
  within: string;
  range: { from: bigint; to: bigint } | undefined;
}

const state = createRoot(() => {
  const selection = latest<Question, Selection>(
    () => {
      const open = capture();
      const isAll = filter().trim() === '' && within() === '' && range() === undefined;
      return open && !isAll ? { capture: open, revision: revision(), expr: filter().trim(), within: within(), range: range() } : undefined;
    },
    async (asked, signal) => releaseOlder(asked.capture, await select(asked, signal)),
    (asked, next) => asked.expr !== next.expr || asked.within !== next.within || asked.range !== next.range || asked.capture !== next.capture,
  );
  const all = () => {
    const open = capture();
    return open && { capture: open, revision: revision() };
  };
  /** Asks only while a view shows the answer: it costs a look at every packet. */
  const whileShown = <Q extends { capture: Capture }>(question: () => Q | undefined) =>
    createMemo<Q | undefined>((before) => (SHOW_OVERVIEW.includes(tab()) ? question() : before && before.capture === capture() ? before : undefined));
  const overview = latest<{ capture: Capture; selection: Selection | undefined }, Overview>(
    whileShown(() => {
      const now = all();
      return now && { ...now, selection: selection.answer() };
    }),
    (asked) => asked.capture.overview({ selection: asked.selection }),
  );
  const whole = latest<{ capture: Capture }, Overview>(
    whileShown(() => (selection.answer() ? all() : undefined)),
    (asked) => asked.capture.overview(),
  );
  const sessions = latest<{ capture: Capture }, Session[]>(all, (asked) => asked.capture.sessionsSeen());
  // The packet that times are told from: the first that was seen, even when a live capture has forgotten it.
  const [firstNs, setFirstNs] = createSignal<{ of: Capture; ns: bigint }>();
  createEffect(() => {
    const open = capture();
    if (!open || packetCount() === 0 || firstNs()?.of === open) return;
    void open.rows({ from: firstKept(), count: 1 }).then(([row]) => row && setFirstNs({ of: open, ns: row.timestampNs }), () => undefined);
  });
  const fault = createMemo(() => filterFault(selection.error()));
  return { selection, overview, whole, sessions, firstNs, fault };
});

/** `undefined` for everything. */
export const selection = state.selection.answer;
export const selectionError = state.selection.error;
export const isFiltering = state.selection.pending;
export const fault = state.fault;
/** Of what is shown. */
export const overview = state.overview.answer;
/** Of the whole capture. */
export const whole = (): Overview | undefined => state.whole.answer() ?? (selection() ? undefined : overview());
/** The time of the first packet. */
export const firstNs = (): bigint | undefined => { const first = state.firstNs(); return first && first.of === capture() ? first.ns : undefined; };
/** Sessions, as rows count them. */
export const sessions = (): Session[] => state.sessions.answer() ?? [];
/** Packets shown. */
export const shownCount = (): number => selection()?.count ?? keptCount();

async function select({ capture: open, expr, within: set, range: time }: Question, signal: AbortSignal): Promise<Selection> {
  if (set === '') return choose(open, expr, { time, signal });
  const [kind, name] = set.split(':');
  const within = kind === 'flow' ? await open.flowPackets(Number(name)) : (await open.problems()).find((problem) => problem.kind === name)?.selection;
  return within ? choose(open, expr, { time, within, signal }) : open.selectTime(0n, -1n);
}

let previous: { of: Capture; selection: Selection } | undefined;

/** A selection is forgotten when the second one after it is there: questions about it may still be on their way. */
function releaseOlder(of: Capture, next: Selection): Selection {
  const older = previous;
  const last = selection();
  previous = last && { of, selection: last };
  if (older && older.of === of && older.selection.id !== next.id && older.selection.id !== last?.id) of.release(older.selection);
  return next;
}
