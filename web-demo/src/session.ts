/** How a mirror session is called where there is little room. */
import type { Session } from './engine.js';
import { plain } from './format.js';
import { sessions } from './shown.js';
import { t } from './text/index.js';

export function sessionOf(index: number): Session | undefined {
  return sessions()[index];
}

/** Its name, else its VNI, else what it is. */
export function sessionLabel(index: number): string {
  const session = sessionOf(index);
  return session ? labelOf(session) : '';
}

export function labelOf(session: { kind: string; name?: string; vni?: number }): string {
  if (session.name) return plain(session.name);
  if (session.vni !== undefined) return `VNI ${session.vni}`;
  return kindOf(session.kind);
}

export function kindOf(kind: string): string {
  const { kinds } = t();
  return kind.includes('further') ? kinds.further : (kinds[kind as keyof typeof kinds] ?? kind);
}

/** The filter that shows this session's packets. */
export function sessionTest({ kind, vni, source, endpoint }: { kind: string; vni?: number; source?: string; endpoint?: string }): string {
  if (kind === 'inline') return endpoint ? `inline and endpoint ${endpoint}` : 'inline';
  if (kind === 'other') return 'not mirrored and not inline';
  const tests = [vni !== undefined && `vni ${vni}`, source && `source ${source}`, endpoint && `endpoint ${endpoint}`];
  return tests.filter(Boolean).join(' and ') || 'mirrored';
}
