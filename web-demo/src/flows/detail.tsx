/** The chosen flow: who, how it went in each direction, and the ways on. */
import { createSignal, For, Show } from 'solid-js';
import type { Flow, Way } from '../engine.js';
import { bytes, duration, number, plain } from '../format.js';
import { labelOf } from '../session.js';
import { t } from '../text/index.js';
import { showWithin } from '../view.js';
import { flow } from './chosen.js';
import { Follow } from './follow.js';
import { Ladder } from './ladder.js';
import { flowName, lasts, place } from './names.js';

export function FlowDetail() {
  const [isFollowing, setIsFollowing] = createSignal(false);
  return (
    <aside class="flow-detail" aria-label={t().flowOf}>
      <Show when={flow()} fallback={<p class="wait">{t().chooseFlow}</p>}>
        {(chosen) => (
          <>
            <h2 class="mono">{place(chosen().client, chosen().client_port)} → {place(chosen().server, chosen().server_port)}</h2>
            <p class="dim">
              {chosen().protocol.toUpperCase()} {plain(flowName(chosen()))} · {labelOf({ kind: chosen().kind, ...chosen().mirror })} · {duration(lasts(chosen()))}
              <Show when={t().states[chosen().state ?? '']}> · {t().states[chosen().state ?? '']}</Show>
            </p>
            <div class="row">
              <button type="button" onClick={() => showWithin(`flow:${chosen().id}`)}>{t().packetsOfFlow}</button>
              <button type="button" id="follow" onClick={() => setIsFollowing(true)}>{t().follow}</button>
            </div>
            <Ways of={chosen()} />
            <Show when={chosen().also_seen_by?.length}>
              <p><b>{t().seenBy}</b> <For each={chosen().also_seen_by}>{(mirror, index) => <>{index() ? ', ' : ''}{labelOf({ kind: 'mirrored', ...mirror })}</>}</For></p>
            </Show>
            <p class="small dim">{t().excludingDuplicates}</p>
            <Ladder flow={chosen()} />
            <Follow flow={chosen()} isOpen={isFollowing()} onClose={() => setIsFollowing(false)} />
          </>
        )}
      </Show>
    </aside>
  );
}

function Ways(props: { of: Flow }) {
  const rows = (): [string, (way: Way) => string][] => [
    [t().flowColumns.packets, (way) => number(way.packets)],
    [t().flowColumns.bytes, (way) => bytes(way.bytes)],
    [t().flowColumns.retransmissions, (way) => number(way.retransmissions ?? 0)],
    [t().flowColumns.loss, (way) => bytes(way.gap_bytes ?? 0)],
    [t().flowColumns.duplicates, (way) => number(way.duplicates)],
    [t().truncated, (way) => number(way.truncated)],
    ['TCP', (way) => way.flags ?? ''],
  ];
  return (
    <table class="data ways">
      <thead><tr><td /><th scope="col" class="numeric">{t().forward} →</th><th scope="col" class="numeric">← {t().backward}</th></tr></thead>
      <tbody><For each={rows()}>{([name, read]) => <tr><th scope="row">{name}</th><td class="num numeric">{read(props.of.sent)}</td><td class="num numeric">{read(props.of.received)}</td></tr>}</For></tbody>
    </table>
  );
}
