/** A running agent that serves this page: its capture is followed through the same decoder, its counters are shown. */
import { createSignal } from 'solid-js';
import type { Capture } from '../engine.js';
import { capture, fail, grow, openLive } from '../opened.js';
import { setTab } from '../view.js';
import { forgetGaps, noteGap } from './gaps.js';

/** Packets kept; older ones make room. */
export const RING = 100_000;
/** Views follow this often, in milliseconds. */
const FOLLOW_EVERY = 250;
const STATS_EVERY = 2000;
/** A lost connection is tried again after this, doubled each time up to the second, in milliseconds. */
const AGAIN_FIRST = 1000;
const AGAIN_LAST = 16_000;

export type LiveState = 'connecting' | 'waiting' | 'following' | 'paused' | 'lost' | 'denied';

export interface AgentStats {
  received: number;
  /** Lost anywhere in the agent. */
  dropped: number;
}

export const [liveState, setLiveState] = createSignal<LiveState>('connecting');
export const [again, setAgain] = createSignal(0);
export const [stats, setStats] = createSignal<AgentStats>();
/** Whether the table keeps to the newest packet. */
export const [liveIsFollowing, setLiveIsFollowing] = createSignal(false);

const token = takeToken();
let control: AbortController | undefined;

/** Where the page's first lines tell of the agent that serves it. */
const mark = (): HTMLMetaElement | null => document.querySelector('meta[name=mirrorscope-agent]');

/** Where the agent's API is, if an agent serves this page; it says so in the page itself, nothing is probed. */
export function agentBase(): URL | undefined {
  const base = mark()?.content;
  return base ? new URL(base, document.baseURI) : undefined;
}

export async function startLive(): Promise<void> {
  const port = Number(mark()?.dataset['genevePort']);
  const open = await openLive(RING, port ? [port] : undefined);
  if (!open) return;
  forgetGaps();
  setTab('packets');
  setLiveIsFollowing(true);
  void watchStats(open);
  await follow(open);
}

export function pause(): void {
  setLiveState('paused');
  setLiveIsFollowing(false);
  control?.abort();
}

export async function resume(): Promise<void> {
  const open = capture();
  if (!open) return;
  setLiveIsFollowing(true);
  await follow(open);
}

/** Reads until paused or closed; a lost connection is made again. */
async function follow(open: Capture): Promise<void> {
  const mine = new AbortController();
  control = mine;
  let wait = AGAIN_FIRST;
  while (capture() === open && !mine.signal.aborted) {
    setLiveState('connecting');
    try {
      const answer = await ask('v1/capture?outer=1', mine.signal);
      if (answer.status === 401) return void setLiveState('denied');
      if (!answer.ok || !answer.body) throw new Error(`${answer.status} ${await answer.text()}`);
      // What came between the last packet and the next is not here.
      if (open.packetCount > 0) noteGap(open.packetCount);
      setLiveState('waiting');
      await read(open, answer.body, mine.signal);
      wait = AGAIN_FIRST;
    } catch (error) {
      if (mine.signal.aborted || capture() !== open) return;
      if ((error as Error).name === 'CaptureError') return fail(error);
    }
    await countDown(wait, mine.signal);
    wait = Math.min(wait * 2, AGAIN_LAST);
  }
}

async function read(open: Capture, body: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<void> {
  const reader = body.getReader();
  let timer = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done || signal.aborted || capture() !== open) return void reader.cancel().catch(() => undefined);
    await open.append(value);
    if (open.packetCount > 0 && liveState() !== 'following') setLiveState('following');
    timer ||= window.setTimeout(() => {
      timer = 0;
      if (capture() === open) grow();
    }, FOLLOW_EVERY);
  }
}

async function countDown(wait: number, signal: AbortSignal): Promise<void> {
  for (let left = wait; left > 0 && !signal.aborted; left -= 1000) {
    setLiveState('lost');
    setAgain(left);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function watchStats(open: Capture): Promise<void> {
  while (capture() === open) {
    try {
      const answer = await ask('v1/stats');
      if (answer.ok) setStats(summary((await answer.json()) as AgentAnswer));
    } catch {
      // The stream says that the connection is lost.
    }
    await new Promise((resolve) => setTimeout(resolve, STATS_EVERY));
  }
}

interface AgentAnswer {
  counters?: Record<string, number>;
  sinks?: { dropped?: number }[];
}

function summary({ counters = {}, sinks = [] }: AgentAnswer): AgentStats {
  const lost = Object.entries(counters).filter(([name]) => /drop|refused/.test(name));
  const dropped = lost.reduce((sum, [, count]) => sum + count, 0) + sinks.reduce((sum, sink) => sum + (sink.dropped ?? 0), 0);
  return { received: counters['received'] ?? counters['packets'] ?? counters['decoded'] ?? 0, dropped };
}

function ask(path: string, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
  return fetch(new URL(path, agentBase()), { headers, signal, cache: 'no-store' });
}

/** A token in the fragment is taken out of the address at once, so that no link or screenshot holds it. */
function takeToken(): string | undefined {
  const members = new URLSearchParams(location.hash.slice(1));
  const found = members.get('token') ?? undefined;
  if (found !== undefined) {
    members.delete('token');
    history.replaceState(null, '', `#${members}`);
  }
  return found;
}
