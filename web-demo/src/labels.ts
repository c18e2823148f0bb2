/** What the reader calls mirror sessions: kept in this browser, and used wherever a session is named. */
import { createSignal } from 'solid-js';
import { readList, remembered, rememberList } from './remember.js';

/** What tells a session from all others. */
export interface SessionKey {
  endpoint?: string;
  vni?: number;
  source?: string;
}

/** Labels kept; the ones given longest ago make room. */
const MAX = 1000;
/** Characters of a label. */
export const MAX_LABEL_LEN = 60;

const [labels, setLabels] = createSignal<ReadonlyMap<string, string>>(new Map(readList(remembered('labels'), isPair).slice(-MAX)));
export { labels };

export const labelFor = (session: SessionKey): string | undefined => labels().get(keyOf(session));

/** Gives a label; an empty one takes it away. */
export function label(session: SessionKey, text: string): void {
  const next = new Map(labels());
  next.delete(keyOf(session));
  const wished = text.trim().slice(0, MAX_LABEL_LEN);
  if (wished) next.set(keyOf(session), wished);
  const kept = [...next].slice(-MAX);
  rememberList('labels', kept);
  setLabels(new Map(kept));
}

const keyOf = ({ endpoint = '', vni = -1, source = '' }: SessionKey): string => `${endpoint} ${vni} ${source}`;

function isPair(item: unknown): item is [string, string] {
  return Array.isArray(item) && item.length === 2 && item.every((part) => typeof part === 'string');
}
