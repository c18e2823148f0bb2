/** The packets of a flow as a ladder: time runs down, each rung points from who sent it to who is meant. */
import { For, Show } from 'solid-js';
import { RowFlag, type Flow, type Row } from '../engine.js';
import { number, plain, time } from '../format.js';
import { latest } from '../latest.js';
import { capture } from '../opened.js';
import { t } from '../text/index.js';
import { setPacket, showWithin } from '../view.js';

/** Rungs shown; the packet table has them all. */
const MAX_RUNGS = 100;

export function Ladder(props: { flow: Flow }) {
  const rungs = latest(
    () => { const open = capture(); return open && { open, id: props.flow.id }; },
    async ({ open, id }) => {
      const selection = await open.flowPackets(id);
      const rows = await open.rows({ selection, from: 0, count: MAX_RUNGS });
      open.release(selection);
      return { rows, count: selection.count, id };
    },
    (asked, next) => asked.id !== next.id,
  );
  const shown = () => { const answer = rungs.answer(); return answer?.id === props.flow.id ? answer : undefined; };
  const isForward = (row: Row) => row.src === props.flow.client && row.srcPort === props.flow.client_port;
  const show = (row: Row) => {
    showWithin(`flow:${props.flow.id}`);
    setPacket(row.index);
  };
  return (
    <section class="ladder" aria-label={t().ladder}>
      <h3>{t().ladder}</h3>
      <div class="ladder-ends" aria-hidden="true"><span>{t().forward}</span><span>{t().backward}</span></div>
      <ol>
        <For each={shown()?.rows}>
          {(row) => (
            <li classList={{ forward: isForward(row), backward: !isForward(row), copy: Boolean(row.flags & RowFlag.duplicate) }}>
              <span class="num dim">{time(row.timestampNs, 'relative', shown()!.rows[0]!.timestampNs)}</span>
              <button type="button" class="rung" onClick={() => show(row)}>
                <span class="visually-hidden">{isForward(row) ? t().forward : t().backward}: </span>
                <span class="mono ellipsis">{plain(row.error ?? row.info) || number(row.length)}</span>
                <Show when={row.flags & RowFlag.duplicate}><abbr class="mark-tag duplicate" title={t().marksLong.duplicate}>{t().marks.duplicate}</abbr></Show>
                <Show when={row.flags & RowFlag.retransmission}><abbr class="mark-tag retransmission" title={t().marksLong.retransmission}>{t().marks.retransmission}</abbr></Show>
              </button>
            </li>
          )}
        </For>
      </ol>
      <Show when={(shown()?.count ?? 0) > MAX_RUNGS}><p class="dim small">{t().ladderFirst(number(MAX_RUNGS), number(shown()!.count))}</p></Show>
    </section>
  );
}
