/** All flows, sortable, and of the chosen one how it went and what was said. */
import { createEffect, createMemo, createSignal, on, Show } from 'solid-js';
import { flows, type Capture, type Flow, type FlowSort } from '../engine.js';
import { bytes, duration, number, plain } from '../format.js';
import type { GridColumn } from '../grid/grid.js';
import { GridView } from '../grid/view.js';
import { labels } from '../labels.js';
import { latest } from '../latest.js';
import { capture, revision } from '../opened.js';
import { labelOf } from '../session.js';
import { selection } from '../shown.js';
import { language, t } from '../text/index.js';
import { filter, setSort, sort } from '../view.js';
import { flow, setFlow } from './chosen.js';
import { FlowDetail } from './detail.js';
import { flowName, lasts, place } from './names.js';

type Column = keyof ReturnType<typeof t>['flowColumns'];

const SORTS: Partial<Record<Column, FlowSort>> = { packets: 'packets', bytes: 'bytes', duration: 'duration', rtt: 'rtt', response: 'response', retransmissions: 'retransmissions', loss: 'loss', duplicates: 'duplicates' };
const WIDTHS: Record<Column, string> = {
  client: '11rem', server: '11rem', protocol: '5.5rem', name: 'minmax(9rem, 1fr)', state: '7rem', session: '7.5rem',
  packets: '5rem', bytes: '5.5rem', duration: '5.5rem', rtt: '6.5rem', response: '6.5rem', retransmissions: '7.5rem', loss: '7rem', duplicates: '6.5rem',
};

export function FlowsPanel() {
  const [at, setAt] = createSignal(-1);
  createEffect(on(capture, () => setFlow(undefined), { defer: true }));
  const total = latest(
    () => { const open = capture(); return open && { open, revision: revision(), selection: selection() }; },
    ({ open, selection }) => flows(open, { count: 1, selection }).then((answer) => answer.total),
  );
  const shape = createMemo(() => { language(); sort(); return columns(); });
  const meaning = createMemo(() => [capture(), selection()?.id, sort(), revision()]);
  const look = createMemo(() => [language(), labels()]);
  const fetch = async (from: number, count: number): Promise<Flow[]> =>
    (await flows(capture() as Capture, { sort: sort().by, descending: sort().descending, from, count, selection: selection() })).rows;
  const order = (column: string): void => {
    const by = SORTS[column as Column];
    if (by) setSort((before) => ({ by, descending: before.by === by ? !before.descending : true }));
  };
  const choose = async (index: number, row: Flow | undefined): Promise<void> => {
    setAt(index);
    const chosen = row ?? (await fetch(index, 1).catch(() => []))[0];
    if (chosen) setFlow(chosen);
  };
  return (
    <div class="flows">
      <h1 class="visually-hidden">{t().tabs.flows}</h1>
      <Show when={(total.answer() ?? 0) > 0} fallback={<p class="wait">{filter() ? t().flowsNone : t().none}</p>}>
        <GridView<Flow> label={t().flowsGrid} columns={shape()} count={total.answer() ?? 0} meaning={meaning()} look={look()} chosen={flow() ? at() : -1} fetch={fetch} onChoose={(index, row) => void choose(index, row)} onOpen={() => document.getElementById('follow')?.click()} onSort={order} />
      </Show>
      <FlowDetail />
    </div>
  );
}

function columns(): GridColumn<Flow>[] {
  return (Object.keys(WIDTHS) as Column[]).map((id) => {
    const by = SORTS[id];
    const sorted = !by ? undefined : sort().by !== by ? 'none' : sort().descending ? 'descending' : 'ascending';
    return { id, name: t().flowColumns[id], width: WIDTHS[id], numeric: by !== undefined, sorted, cell: (flow) => cell(id, flow) };
  });
}

function cell(id: Column, flow: Flow): string {
  const sum = (member: keyof Flow['sent']) => Number(flow.sent[member] ?? 0) + Number(flow.received[member] ?? 0);
  switch (id) {
    case 'client': return place(flow.client, flow.client_port);
    case 'server': return place(flow.server, flow.server_port);
    case 'protocol': return flow.protocol.toUpperCase();
    case 'name': return plain(flowName(flow));
    case 'state': return t().states[flow.state ?? ''] ?? '';
    case 'session': return labelOf({ kind: flow.kind, ...flow.mirror });
    case 'packets': return number(sum('packets'));
    case 'bytes': return bytes(sum('bytes'));
    case 'duration': return duration(lasts(flow));
    case 'rtt': return flow.handshake_rtt_ns === undefined ? '' : duration(flow.handshake_rtt_ns);
    case 'response': return flow.response_mean_ns === undefined ? '' : duration(flow.response_mean_ns);
    case 'retransmissions': return orNothing(sum('retransmissions'));
    case 'loss': return sum('gap_bytes') ? bytes(sum('gap_bytes')) : '';
    case 'duplicates': return orNothing(sum('duplicates'));
  }
}

const orNothing = (count: number): string => (count ? number(count) : '');
