/** The flows with the most bytes. */
import { For, Show } from 'solid-js';
import { flows } from '../engine.js';
import { flowName, place } from '../flows/names.js';
import { showFlow } from '../flows/chosen.js';
import { bytes, plain } from '../format.js';
import { latest } from '../latest.js';
import { capture, revision } from '../opened.js';
import { selection } from '../shown.js';
import { t } from '../text/index.js';

const TOP = 8;

export function Busiest() {
  const busiest = latest(
    () => { const open = capture(); return open && { open, revision: revision(), selection: selection() }; },
    ({ open, selection }) => flows(open, { sort: 'bytes', descending: true, from: 0, count: TOP, selection }),
  );
  return (
    <section class="card">
      <h2>{t().busiest}</h2>
      <Show when={busiest.answer()?.rows.length} fallback={<p class="dim">{t().none}</p>}>
        <ol class="names">
          <For each={busiest.answer()?.rows}>
            {(flow) => (
              <li>
                <button type="button" class="link mono" onClick={() => showFlow(flow)}>{place(flow.client, flow.client_port)} → {place(flow.server, flow.server_port)}</button>
                <Show when={flowName(flow)}><span class="dim ellipsis">{plain(flowName(flow))}</span></Show>
                <span class="num">{bytes(flow.sent.bytes + flow.received.bytes)}</span>
              </li>
            )}
          </For>
        </ol>
      </Show>
    </section>
  );
}
