/** The octets, sixteen a line, with the nesting of the layers above them. */
import { createMemo, createSignal, For, Show } from 'solid-js';
import type { PacketTree } from '../engine.js';
import { number } from '../format.js';
import { t } from '../text/index.js';
import { nodeAt, zoneOf, type Node } from './nodes.js';

const LINE = 16;
/** Octets shown at once: more are a button away. */
const AT_FIRST = 2048;

interface Props {
  bytes: Uint8Array;
  tree: PacketTree;
  nodes: Node[];
  marked: Node | undefined;
  onChoose: (id: string) => void;
  onHover: (id: string | undefined) => void;
}

export function Hex(props: Props) {
  const [all, setAll] = createSignal<Uint8Array>();
  const [fromInner, setFromInner] = createSignal(false);
  const length = () => (all() === props.bytes ? props.bytes.length : Math.min(props.bytes.length, AT_FIRST));
  const base = () => (fromInner() ? (props.tree.layers[props.tree.subject]?.offset ?? 0) : 0);
  /** The zone of every octet shown. */
  const zones = createMemo(() => {
    const found = new Array<string>(length()).fill('inner');
    props.tree.layers.forEach((layer, index) => found.fill(zoneOf(props.tree, index), layer.offset, Math.max(layer.offset, length())));
    return found;
  });
  const lines = createMemo(() => Array.from({ length: Math.ceil(length() / LINE) }, (_, line) => line * LINE));
  const octetOf = (event: Event): number | undefined => {
    const text = (event.target as HTMLElement).dataset['at'];
    return text === undefined ? undefined : Number(text);
  };
  const over = (event: PointerEvent): void => {
    const at = octetOf(event);
    props.onHover(at === undefined ? undefined : nodeAt(props.nodes, at)?.id);
  };
  const pick = (event: MouseEvent): void => {
    const at = octetOf(event);
    const node = at === undefined ? undefined : nodeAt(props.nodes, at);
    if (node) props.onChoose(node.id);
  };
  const isMarked = (at: number): boolean => {
    const node = props.marked;
    return node !== undefined && node.offset <= at && at < node.offset + node.len;
  };
  return (
    <>
      <Ruler {...props} />
      <div class="hex" tabindex="0" role="group" aria-label={t().octets} onPointerOver={over} onPointerLeave={() => props.onHover(undefined)} onClick={pick}>
        <For each={lines()}>
          {(start) => (
            <div class="hex-line">
              <span class="hex-offset">{offset(start - base())}</span>
              <span class="hex-octets">
                <For each={range(start, Math.min(start + LINE, length()))}>
                  {(at) => <span data-at={at} class={`o zone-${zones()[at]}`} classList={{ on: isMarked(at), half: at - start === 8 }}>{digits(props.bytes[at]!)}</span>}
                </For>
              </span>
              <span class="hex-text" aria-hidden="true">
                <For each={range(start, Math.min(start + LINE, length()))}>{(at) => <span data-at={at} classList={{ on: isMarked(at) }}>{letter(props.bytes[at]!)}</span>}</For>
              </span>
            </div>
          )}
        </For>
        <Show when={length() < props.bytes.length}><button type="button" class="small-button" onClick={() => setAll(props.bytes)}>{t().showAll(number(props.bytes.length))}</button></Show>
      </div>
      <div class="hex-foot">
        <label class="check"><input type="checkbox" checked={fromInner()} onChange={(event) => setFromInner(event.currentTarget.checked)} /> {t().innerOnly}</label>
        <span class="num dim">
          <Show when={props.marked}>{(node) => <>{t().offsetOf(node().offset, Math.max(node().offset, node().offset + node().len - 1), node().offset - node().layer.offset)}</>}</Show>
        </span>
      </div>
    </>
  );
}

/** One line: how long each header is, and how deep it stands. */
function Ruler(props: Props) {
  return (
    <div class="ruler" role="group" aria-label={t().nesting}>
      <For each={props.nodes.filter(({ level, len }) => level === 1 && len > 0)}>
        {(node) => (
          <button type="button" class={`zone-${node.zone}`} classList={{ on: props.marked?.layer === node.layer }} style={{ 'flex-grow': node.len }} title={`${node.label}: ${node.offset}–${node.offset + node.len - 1}`} onClick={() => props.onChoose(node.id)} onPointerEnter={() => props.onHover(node.id)} onPointerLeave={() => props.onHover(undefined)}>
            {node.label}
          </button>
        )}
      </For>
    </div>
  );
}

const range = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from) }, (_, place) => from + place);
const digits = (octet: number): string => octet.toString(16).padStart(2, '0');
const letter = (octet: number): string => (octet >= 0x20 && octet < 0x7f ? String.fromCharCode(octet) : '·');
const offset = (at: number): string => (at < 0 ? `-${Math.abs(at).toString(16).padStart(3, '0')}` : at.toString(16).padStart(4, '0'));
