/** What is open: the capture, and how far it is read. */
import { batch, createSignal } from 'solid-js';
import { start, type Capture, type CaptureProgress, type Engine, type OpenOptions, type Source } from './engine.js';
import { fingerprint } from './fingerprint.js';
import { kindOfFile, type Kind } from './kind.js';
import { madeFor, setMadeFor, setMarked, setPacket, setRange, setWithin } from './view.js';

export type Phase = 'empty' | 'reading' | 'read' | 'stopped' | 'live' | 'failed';

/** A file of the AWS CLI. */
export interface AwsFile {
  name: string;
  text: string;
}

/** Why something could not be opened. */
export interface Failure {
  message: string;
  hint?: string;
  /** Which file, and what it is instead of a capture, where that is known. */
  name?: string;
  kind?: Kind;
}

/** Views follow a capture that is being read: this often at first, and later this often, in milliseconds. */
const FOLLOW_FIRST = 200;
const FOLLOW_LATER = 1000;
/** Octets of a file of AWS JSON; the CLI's own answers are far below. */
const MAX_JSON_LEN = 32 << 20;

export const [capture, setCapture] = createSignal<Capture>();
export const [phase, setPhase] = createSignal<Phase>('empty');
export const [progress, setProgress] = createSignal<Pick<CaptureProgress, 'bytes' | 'totalBytes' | 'packets'> & { startedAt: number }>();
export const [sources, setSources] = createSignal<{ name: string; size: number }[]>([]);
export const [failure, setFailure] = createSignal<Failure>();
export const [awsFiles, setAwsFiles] = createSignal<AwsFile[]>([]);
/** Counts how often the capture has grown so that views should ask again. */
export const [revision, setRevision] = createSignal(0);
/** Whether nothing was opened yet: what the address says of a file, a link brought. */
export const [isFresh, setIsFresh] = createSignal(true);
/** Whether the open file is another one than the link was made for. */
export const [isOther, setIsOther] = createSignal(false);

let engine: Promise<Engine> | undefined;
export const decoder = (): Promise<Engine> => (engine ??= start());

export const grow = (): number => setRevision((count) => count + 1);

/** Packets so far. */
export function packetCount(): number {
  revision();
  return capture()?.packetCount ?? 0;
}

/** The first packet that is still there: a live capture forgets. */
export function firstKept(): number {
  revision();
  return capture()?.firstPacket ?? 0;
}

export const keptCount = (): number => packetCount() - firstKept();

/** Opens captures and AWS JSON that were dropped, chosen or pasted. */
export async function openFiles(files: readonly File[]): Promise<void> {
  const isJson = (file: File) => /\.json$/i.test(file.name) || file.type === 'application/json';
  const json = files.filter((file) => isJson(file) && file.size <= MAX_JSON_LEN);
  setFailure(undefined);
  for (const file of json) await takeJson({ name: file.name, text: await file.text() });
  const captures = files.filter((file) => !json.includes(file));
  if (captures.length > 0) await openCaptures(captures.map((file) => ({ name: file.name, blob: file })));
  else if (capture()) await nameSessions();
}

/** Keeps a file of the AWS CLI; JSON of another kind is refused with the reason. */
async function takeJson(file: AwsFile): Promise<void> {
  try {
    await (await decoder()).checkJson(file.text);
    setAwsFiles((before) => [...before.filter(({ name }) => name !== file.name), file]);
  } catch (error) {
    const { message, hint } = error as { message: string; hint?: string };
    setFailure({ message, hint, name: file.name });
  }
}

export async function openCaptures(opened: Source[]): Promise<void> {
  const refused = failure();
  close();
  setSources(opened.map(({ name, blob }) => ({ name, size: blob.size })));
  const next = await begin(opened, { onProgress: follow }, 'reading');
  if (!next) return;
  // Of several files that were dropped together, one may have been refused.
  if (refused) setFailure(refused);
  void compareWithLink(opened);
  await nameSessions();
  await next.loaded;
  if (capture() !== next) return;
  const fault = next.packetCount === 0 ? next.damage[0] : undefined;
  const wrong = fault && opened[fault.source];
  const kind = wrong && (await kindOfFile(wrong.blob).catch(() => undefined));
  batch(() => {
    grow();
    if (fault) fail({ message: fault.error.message, hint: (fault.error as Failure).hint, name: wrong?.name, kind });
    else setPhase((before) => (before === 'reading' ? 'read' : before));
  });
}

/** Opens an endless capture, to be fed by the caller. */
export function openLive(maxPackets: number, genevePorts?: number[]): Promise<Capture | undefined> {
  close();
  return begin([], { live: true, maxPackets, ...(genevePorts && { genevePorts }) }, 'live');
}

async function begin(opened: Source[], options: OpenOptions, phase: Phase): Promise<Capture | undefined> {
  batch(() => {
    setFailure(undefined);
    setPhase(phase);
    setProgress({ bytes: 0, packets: 0, totalBytes: opened.reduce((sum, { blob }) => sum + blob.size, 0), startedAt: performance.now() });
  });
  try {
    const next = (await decoder()).open(opened, options);
    setCapture(() => next);
    grow();
    return next;
  } catch (error) {
    fail(error);
    return undefined;
  }
}

let lastFollowed = -Infinity;

function follow(now: CaptureProgress): void {
  const at = performance.now();
  const startedAt = progress()?.startedAt ?? at;
  const every = at - startedAt < 3 * FOLLOW_LATER ? FOLLOW_FIRST : FOLLOW_LATER;
  const isFirst = progress()?.packets === 0 && now.packets > 0;
  if (at - lastFollowed < every && !isFirst && !now.done) return;
  lastFollowed = at;
  batch(() => {
    setProgress({ ...now, startedAt });
    grow();
  });
}

export function stop(): void {
  if (phase() !== 'reading') return;
  capture()?.stop();
  batch(() => {
    setPhase('stopped');
    grow();
  });
}

/** Forgets the capture; the view stays, for the next one. */
export function close(): void {
  capture()?.dispose();
  lastFollowed = -Infinity;
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
  const { message = String(error), hint, name, kind } = (error ?? {}) as Partial<Failure>;
  batch(() => {
    setFailure({ message, hint, name: error instanceof Error ? undefined : name, kind });
    setPhase(packetCount() === 0 ? 'failed' : 'read');
  });
}

/** The dropped JSON says how the sources of mirrored packets are called. */
async function nameSessions(): Promise<void> {
  const open = capture();
  if (!open || awsFiles().length === 0) return;
  try {
    await open.setNames(awsFiles().map(({ text }) => text));
    if (capture() === open) grow();
  } catch (error) {
    // The workshop says it beside the file.
    console.info(error);
  }
}

async function compareWithLink(opened: Source[]): Promise<void> {
  const [wished, isFromLink] = [madeFor(), isFresh()];
  setIsFresh(false);
  const own = await fingerprint(opened);
  batch(() => {
    if (wished && wished !== own) {
      setIsOther(isFromLink);
      setPacket(undefined);
      setRange(undefined);
      setWithin('');
      setMarked([]);
    }
    setMadeFor(own);
  });
}
