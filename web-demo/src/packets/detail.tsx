/** The chosen packet: layers on the left, octets on the right, each pointing at the other. */
import { createMemo, createSignal, on, createEffect, Show } from 'solid-js';
import { copyText } from '../copy.js';
import type { Capture, Field, Layer } from '../engine.js';
import { refine } from '../filter/refine.js';
import { hex, number, plain } from '../format.js';
import { latest } from '../latest.js';
import { capture, packetCount } from '../opened.js';
import { t } from '../text/index.js';
import { packet } from '../view.js';
import { filterOf } from './filter-of.js';
import { Hex } from './hex.js';
import { isMarked, toggleMark } from './marks.js';
import { LayerTree } from './tree.js';
import { nodesOf, type Node } from './nodes.js';

export function Detail() {
  const asked = latest(
    () => { const open = capture(); const index = packet(); return open && index !== undefined && index < packetCount() ? { open, index } : undefined; },
    async ({ open, index }: { open: Capture; index: number }) => {
      const [tree, bytes] = await Promise.all([open.packet(index), open.bytes(index)]);
      return { index, tree, bytes };
    },
    (one, other) => one.index !== other.index || one.open !== other.open,
  );
  const [chosen, setChosen] = createSignal<string>();
  const [hovered, setHovered] = createSignal<string>();
  createEffect(on(() => asked.answer()?.index, () => setHovered(undefined)));
  const nodes = createMemo(() => { const shown = asked.answer(); return shown ? nodesOf(shown.tree) : []; });
  const nodeOf = (id: string | undefined) => nodes().find((node) => node.id === id);
  const marked = () => nodeOf(hovered()) ?? nodeOf(chosen());
  return (
    <section class="detail" aria-label={asked.answer() ? t().layersOf(number(asked.answer()!.index + 1)) : t().octets}>
      <Show when={asked.answer()} fallback={<p class="wait">{asked.error() ? plain(String((asked.error() as Error).message)) : t().pickPacket}</p>}>
        {(shown) => (
          <>
            <div class="detail-tree">
              <LayerTree index={shown().index} tree={shown().tree} nodes={nodes()} chosen={chosen()} hovered={hovered()} onChoose={setChosen} onHover={setHovered} />
            </div>
            <div class="detail-octets">
              <Hex bytes={shown().bytes} tree={shown().tree} marked={marked()} nodes={nodes()} onChoose={setChosen} onHover={setHovered} />
              <Copies index={shown().index} bytes={shown().bytes} node={nodeOf(chosen())} />
            </div>
          </>
        )}
      </Show>
    </section>
  );
}

function Copies(props: { index: number; bytes: Uint8Array; node: Node | undefined }) {
  const [said, setSaid] = createSignal('');
  const copy = async (text: string | Promise<string>): Promise<void> => {
    setSaid((await copyText(await text)) ? t().copied : t().copyFailed);
    setTimeout(() => setSaid(''), 2000);
  };
  const octets = () => (props.node ? props.bytes.subarray(props.node.offset, props.node.offset + props.node.len) : props.bytes);
  const test = () => (props.node?.field ? filterOf(props.node.field as Field, props.node.layer as Layer, props.node.zone) : undefined);
  const open = () => capture() as Capture;
  return (
    <div class="copies">
      <button type="button" class="small-button" onClick={() => void copy(hex(octets()))}>{t().copyAs.hex}</button>
      <button type="button" class="small-button" onClick={() => void copy(open().text(props.index, 'jsonl'))}>{t().copyAs.json}</button>
      <button type="button" class="small-button" onClick={() => void copy(open().text(props.index, 'tcpdump'))}>{t().copyAs.tcpdump}</button>
      <button type="button" class="small-button" disabled={!test()} title={test()} onClick={() => test() && refine(test()!)}>{t().copyAs.filter}</button>
      <button type="button" class="small-button" aria-pressed={isMarked(props.index)} aria-keyshortcuts="m" onClick={toggleMark}>{isMarked(props.index) ? '★' : '☆'} {t().mark}</button>
      <span role="status" class="small">{said()}</span>
    </div>
  );
}
