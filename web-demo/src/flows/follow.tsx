/** What the two ends said, in order, as text or octets; what the mirror lost is named in its place. */
import { createSignal, For, Show } from 'solid-js';
import { Dialog } from '../dialogs/dialog.js';
import type { Flow, StreamSegment as Segment } from '../engine.js';
import { number, plain } from '../format.js';
import { latest } from '../latest.js';
import { capture } from '../opened.js';
import { t } from '../text/index.js';

/** Octets of both directions that are fetched: enough to read, and small enough to show. */
const LIMIT = 256 << 10;

export function Follow(props: { flow: Flow; isOpen: boolean; onClose: () => void }) {
  const [isHex, setIsHex] = createSignal(false);
  const stream = latest(
    () => { const open = capture(); return open && props.isOpen ? { open, id: props.flow.id } : undefined; },
    ({ open, id }) => open.follow(id, { limit: LIMIT }),
  );
  return (
    <Dialog isOpen={props.isOpen} title={t().follow} onClose={props.onClose} class="follow">
      <div class="segmented" role="group" aria-label={t().follow}>
        <button type="button" aria-pressed={!isHex()} onClick={() => setIsHex(false)}>{t().followText}</button>
        <button type="button" aria-pressed={isHex()} onClick={() => setIsHex(true)}>{t().followHex}</button>
      </div>
      <Show when={stream.answer()?.segments.length} fallback={<p class="wait">{stream.pending() ? `${t().working}…` : stream.error() ? plain((stream.error() as Error).message) : t().followNone}</p>}>
        <div class="segments" tabindex="0" role="group" aria-label={t().follow}>
          <For each={stream.answer()?.segments}>
            {(segment) => (
              <div class={`segment ${segment.direction}`}>
                <span class="tag">{segment.direction === 'forward' ? t().forward : t().backward}</span>
                <Show when={segment.bytes} fallback={<p class="gap">{t().followGap(number(segment.gapLen ?? 0))}</p>}>
                  {(octets) => <pre>{isHex() ? dump(octets(), segment) : legible(octets())}</pre>}
                </Show>
              </div>
            )}
          </For>
          <Show when={stream.answer()?.truncated}><p class="dim">{t().followCut}</p></Show>
        </div>
      </Show>
    </Dialog>
  );
}

/** Printable ASCII and line ends; a dot for the rest. */
function legible(octets: Uint8Array): string {
  return Array.from(octets, (octet) => (octet === 10 || octet === 9 || (octet >= 0x20 && octet < 0x7f) ? String.fromCharCode(octet) : octet === 13 ? '' : '·')).join('');
}

function dump(octets: Uint8Array, { offset }: Segment): string {
  const lines = [];
  for (let at = 0; at < octets.length; at += 16) {
    const line = octets.subarray(at, at + 16);
    const digits = Array.from(line, (octet) => octet.toString(16).padStart(2, '0')).join(' ');
    lines.push(`${(offset + at).toString(16).padStart(6, '0')}  ${digits.padEnd(47)}  ${legible(line).replace(/[\n\t]/g, '·')}`);
  }
  return lines.join('\n');
}
