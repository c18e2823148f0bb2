/** What is open: the capture, how far it is read, and what of it passes filter and time range. */
import { batch, createMemo, createRoot, createSignal } from 'solid-js';
import { start, filterFault, type Capture, type Engine, type OpenOptions, type Overview, type Progress, type Selection, type Source } from './engine.js';
import { fingerprint } from './fingerprint.js';
import { latest } from './latest.js';
import { filter, madeFor, range, setMadeFor, setPacket } from './view.js';

export type Phase = 'empty' | 'reading' | 'read' | 'stopped' | 'live' | 'failed';

/** A file of the AWS CLI. */
export interface AwsFile {
  name: string;
  text: string;
}

/** Rows, charts and counts follow a capture that is being read this often, in milliseconds. */
const FOLLOW_EVERY = 250;
/** Octets of a file of AWS JSON; the CLI's own answers are far below. */
const MAX_JSON_LEN = 32 << 20;

export const [capture, setCapture] = createSignal<Capture>();
export const [phase, setPhase] = createSignal<Phase>('empty');
export const [progress, setProgress] = createSignal<Progress & { startedAt: number }>();
export const [sources, setSources] = createSignal<{ name: string; size: number }[]>([]);
export const [failure, setFailure] = createSignal<{ message: string; hint?: string }>();
export const [awsFiles, setAwsFiles] = createSignal<AwsFile[]>([]);
/** Counts how often the capture has grown so that views should ask again. */
export const [revision, setRevision] = createSignal(0);
/** Whether the open file is another one than the link was made for. */
export const [isOther, setIsOther] = createSignal(false);

let engine: Promise<Engine> | undefined;
export const decoder = (): Promise<Engine> => (engine ??= start());

/** Opens captures and AWS JSON that were dropped, chosen or pasted. */
export async function openFiles(files: readonly File[]): Promise<void> {
  const isJson = (file: File) => /\.json$/i.test(file.name) || file.type === 'application/json';
  const json = files.filter((file) => isJson(file) && file.size <= MAX_JSON_LEN);
  if (json.length > 0) {
    const read = await Promise.all(json.map(async (file) => ({ name: file.name, text: await file.text() })));
    setAwsFiles((before) => [...before.filter(({ name }) => !read.some((file) => file.name === name)), ...read]);
  }
  const captures = files.filter((file) => !json.includes(file));
  if (captures.length > 0) await openCaptures(captures.map((file) => ({ name: file.name, blob: file })));
}

export async function openCaptures(opened: Source[]): Promise<void> {
  close();
  setSources(opened.map(({ name, blob }) => ({ name, size: blob.size })));
  const next = await begin(opened, { onProgress: (now) => follow(now, performance.now()) }, 'reading');
  if (!next) return;
  void compareWithLink(opened);
  try {
    await next.loaded;
    if (capture() === next) setPhase((before) => (before === 'reading' ? 'read' : before));
  } catch (error) {
    if (capture() === next) fail(error);
  } finally {
    if (capture() === next) setRevision((count) => count + 1);
  }
}

/** Opens an endless capture, to be fed by the caller. */
export function openLive(maxPackets: number): Promise<Capture | undefined> {
  close();
  return begin([], { live: true, maxPackets }, 'live');
}

async function begin(opened: Source[], options: OpenOptions, phase: Phase): Promise<Capture | undefined> {
  const startedAt = performance.now();
  batch(() => {
    setFailure(undefined);
    setPhase(phase);
    setProgress({ bytes: 0, packets: 0, totalBytes: opened.reduce((sum, { blob }) => sum + blob.size, 0), startedAt });
  });
  try {
    const next = (await decoder()).open(opened, options);
    setCapture(() => next);
    setRevision((count) => count + 1);
    return next;
  } catch (error) {
    fail(error);
    return undefined;
  }
}

let lastFollowed = 0;

function follow(now: Progress, at: number): void {
  setProgress((before) => ({ ...now, startedAt: before?.startedAt ?? at }));
  if (at - lastFollowed < FOLLOW_EVERY && lastFollowed !== 0) return;
  lastFollowed = at;
  setRevision((count) => count + 1);
}

export function stop(): void {
  if (phase() !== 'reading') return;
  capture()?.stop();
  setPhase('stopped');
  setRevision((count) => count + 1);
}

/** Forgets the capture; the view stays, for the next one. */
export function close(): void {
  capture()?.dispose();
  lastFollowed = 0;
  batch(() => {
    setCapture(undefined);
    setPhase('empty');
    setProgress(undefined);
    setSources([]);
    setFailure(undefined);
    setIsOther(false);
  });
}

export function fail(error: unknown): void {
  const fault = error as { message?: string; hint?: string };
  batch(() => {
    setFailure({ message: fault?.message ?? String(error), hint: fault?.hint });
    if (!capture() || capture()!.packetCount === 0) setPhase('failed');
    else setPhase('read');
  });
}

async function compareWithLink(opened: Source[]): Promise<void> {
  const wished = madeFor();
  const own = await fingerprint(opened);
  batch(() => {
    if (wished && wished !== own) {
      setIsOther(true);
      setPacket(undefined);
    }
    setMadeFor(own);
  });
}

interface Question {
  capture: Capture;
  revision: number;
  expr: string;
  from?: bigint;
  to?: bigint;
}

const chosen = createRoot(() => {
  const question = createMemo((): Question | undefined => {
    const open = capture();
    const isAll = filter().trim() === '' && range() === undefined;
    if (!open || isAll) return undefined;
    return { capture: open, revision: revision(), expr: filter().trim(), from: range()?.from, to: range()?.to };
  });
  const selection = latest<Question, Selection>(
    question,
    (asked, signal) => asked.capture.select(asked.expr, { fromNs: asked.from, toNs: asked.to, signal }),
    (asked, next) => asked.expr !== next.expr || asked.from !== next.from || asked.to !== next.to || asked.capture !== next.capture,
  );
  const overview = latest<{ capture: Capture; revision: number; selection?: Selection }, Overview>(
    () => {
      const open = capture();
      return open && { capture: open, revision: revision(), selection: selection.answer() };
    },
    (asked) => asked.capture.overview({ selection: asked.selection }),
  );
  const everything = latest<{ capture: Capture; revision: number }, Overview>(
    () => {
      const open = capture();
      return open && { capture: open, revision: revision() };
    },
    (asked) => asked.capture.overview({}),
  );
  return { selection, overview, everything };
});

/** What passes the filter and lies in the time range; `undefined` for everything. */
export const selection = chosen.selection.answer;
export const isFiltering = chosen.selection.pending;
export const fault = createMemoOnce(() => filterFault(chosen.selection.error()));
export const selectionError = chosen.selection.error;
/** Of what is shown. */
export const overview = chosen.overview.answer;
/** Of the whole capture: sessions are numbered as here. */
export const whole = chosen.everything.answer;

/** Packets so far. */
export const packetCount = (): number => {
  revision();
  return capture()?.packetCount ?? 0;
};
/** Packets shown. */
export const shownCount = (): number => selection()?.count ?? packetCount();

function createMemoOnce<T>(compute: () => T): () => T {
  return createRoot(() => createMemo(compute));
}
