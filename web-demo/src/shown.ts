/** What of the capture is shown: what passes the filter and lies in the time range, and what is in it. */
import { createMemo, createRoot } from 'solid-js';
import { choose, filterFault, type Capture, type Overview, type Selection, type Session } from './engine.js';
import { latest } from './latest.js';
import { capture, keptCount, revision } from './opened.js';
import { filter, range, within } from './view.js';

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
  const overview = latest<{ capture: Capture; selection: Selection | undefined }, Overview>(
    () => {
      const now = all();
      return now && { ...now, selection: selection.answer() };
    },
    (asked) => asked.capture.overview({ selection: asked.selection }),
  );
  const whole = latest<{ capture: Capture }, Overview>(
    () => (selection.answer() ? all() : undefined),
    (asked) => asked.capture.overview(),
  );
  const sessions = latest<{ capture: Capture }, Session[]>(all, (asked) => asked.capture.sessionsSeen());
  const fault = createMemo(() => filterFault(selection.error()));
  return { selection, overview, whole, sessions, fault };
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
/** Sessions, as rows count them. */
export const sessions = (): Session[] => state.sessions.answer() ?? [];
/** Packets shown. */
export const shownCount = (): number => selection()?.count ?? keptCount();

async function select({ capture: open, expr, within: set, range: time }: Question, signal: AbortSignal): Promise<Selection> {
  if (set === '') return choose(open, expr, time, signal);
  const [kind, name] = set.split(':');
  const chosen = kind === 'flow' ? await open.flowPackets(Number(name)) : (await open.problems()).find((problem) => problem.kind === name)?.selection;
  if (!chosen) return open.selectTime(0n, -1n);
  return time ? open.selectTime(time.from, time.to, chosen) : chosen;
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
