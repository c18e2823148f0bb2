/** What went wrong with the capture, above the view, which shows what came before. */
import { createSignal, For, Show } from 'solid-js';
import { FailureNotice } from './failure.js';
import { number, plain } from './format.js';
import { unloaded } from './latest.js';
import { capture, isOther, revision } from './opened.js';
import { t } from './text/index.js';

export function Notices() {
  const [dismissed, setDismissed] = createSignal<unknown>();
  const damage = () => (revision(), capture()?.damage ?? []);
  return (
    <>
      <Show when={damage().length > 0 && dismissed() !== capture()}>
        <div class="notice bad" role="alert">
          <b>{t().damageTitle}</b>
          <ul>
            <For each={damage()}>
              {(one) => (
                <li>
                  <Show when={one.sourceName}><code>{plain(one.sourceName!)}</code>: </Show>
                  {plain(one.error.message)}{place(one.error)}
                  <Show when={one.error.hint}><br /><span class="dim">{plain(one.error.hint!)}</span></Show>
                </li>
              )}
            </For>
          </ul>
          <button type="button" class="quiet" onClick={() => setDismissed(capture())}>{t().dismiss}</button>
        </div>
      </Show>
      <Show when={unloaded()}>{(why) => <div class="notice bad" role="alert"><b>{t().unloaded}</b><p>{plain(why().message)}</p></div>}</Show>
      <FailureNotice />
      <Show when={isOther()}><p class="notice">{t().fingerprintOther}</p></Show>
    </>
  );
}

function place(error: object): string {
  const { packets, offset } = error as { packets?: number; offset?: number };
  return packets === undefined || offset === undefined ? '' : `, ${t().damageAt(number(packets), number(offset))}`;
}
