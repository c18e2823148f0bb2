/** How a mirror session is called where there is little room. */
import type { Session } from './engine.js';
import { plain } from './format.js';
import { labelFor } from './labels.js';
import { sessions } from './shown.js';
import { t } from './text/index.js';

/** What tells a session from others, and what it is called. */
export interface Called {
  kind: string;
  name?: string;
  vni?: number;
  endpoint?: string;
  source?: string;
}

export function sessionOf(index: number): Session | undefined {
  return sessions()[index];
}

/** The reader's label for it, else its name, else its VNI, else what it is. */
export function sessionLabel(index: number): string {
  const session = sessionOf(index);
  return session ? labelOf(session) : '';
}

export function labelOf(session: Called): string {
  const { kind, vni, endpoint } = session;
  const name = labelFor(session) ?? session.name;
  if (name) return plain(name);
  if (vni === undefined) return kindOf(kind);
  // The same VNI may come through another endpoint; the program, too, tells endpoints by their last digits.
  const isAmbiguous = sessions().some((other) => other.vni === vni && other.endpoint !== endpoint);
  return isAmbiguous && endpoint ? `VNI ${vni} *${endpoint.slice(-4)}` : `VNI ${vni}`;
}

export function kindOf(kind: string): string {
  const { kinds } = t();
  return kind.includes('further') ? kinds.further : (kinds[kind as keyof typeof kinds] ?? kind);
}

/** The filter that shows this session's packets. */
export function sessionTest({ kind, vni, source, endpoint }: Called): string {
  if (kind === 'inline') return endpoint ? `inline and endpoint ${endpoint}` : 'inline';
  if (kind === 'other') return 'not mirrored and not inline';
  const tests = [vni !== undefined && `vni ${vni}`, source && `source ${source}`, endpoint && `endpoint ${endpoint}`];
  return tests.filter(Boolean).join(' and ') || 'mirrored';
}
