/** The layers as a tree: one tab stop, arrows move, right opens, left closes. */
import { createEffect, createMemo, createSignal, For, on, Show } from 'solid-js';
import type { PacketTree } from '../engine.js';
import { number, plain } from '../format.js';
import { t } from '../text/index.js';
import type { Node } from './nodes.js';

interface Props {
  index: number;
  tree: PacketTree;
  nodes: Node[];
  chosen: string | undefined;
  hovered: string | undefined;
  onChoose: (id: string) => void;
  onHover: (id: string | undefined) => void;
}

/** Keys of layers and groups that are open; kept from packet to packet, so that stepping through keeps its view. */
const [opened, setOpened] = createSignal<ReadonlySet<string>>(new Set());

export function LayerTree(props: Props) {
  let element!: HTMLDivElement;
  const isOpen = (node: Node): boolean => opened().has(node.id);
  const byId = createMemo(() => new Map(props.nodes.map((node) => [node.id, node])));
  const isVisible = (node: Node): boolean => {
    const parent = node.parent === undefined ? undefined : byId().get(node.parent);
    return !parent || (isOpen(parent) && isVisible(parent));
  };
  const visible = createMemo(() => props.nodes.filter(isVisible));
  const active = () => visible().find(({ id }) => id === props.chosen) ?? visible()[0];
  const toggle = (node: Node, shouldOpen: boolean): void => {
    const next = new Set(opened());
    if (shouldOpen) next.add(node.id);
    else next.delete(node.id);
    setOpened(next);
  };
  // What was pointed at in the octets comes into sight.
  createEffect(on(() => props.chosen, (id) => {
    const next = new Set(opened());
    for (let node = byId().get(id ?? ''); node?.parent !== undefined; node = byId().get(node.parent)) next.add(node.parent);
    if (next.size !== opened().size) setOpened(next);
    queueMicrotask(() => element?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' }));
  }));
  const key = (event: KeyboardEvent): void => {
    const node = active();
    if (!node || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = visible().indexOf(node);
    const go = (to: number) => { const next = visible()[Math.min(visible().length - 1, Math.max(0, to))]; if (next) props.onChoose(next.id); };
    if (event.key === 'ArrowDown' || event.key === 'j') go(place + 1);
    else if (event.key === 'ArrowUp' || event.key === 'k') go(place - 1);
    else if (event.key === 'Home') go(0);
    else if (event.key === 'End') go(Infinity);
    else if (event.key === 'ArrowRight') { if (node.hasChildren && !isOpen(node)) toggle(node, true); else if (node.hasChildren) go(place + 1); }
    else if (event.key === 'ArrowLeft') { if (node.hasChildren && isOpen(node)) toggle(node, false); else if (node.parent !== undefined) props.onChoose(node.parent); }
    else if (event.key === 'Enter' || event.key === ' ') { if (node.hasChildren) toggle(node, !isOpen(node)); }
    else if (event.key === 'Escape') document.querySelector<HTMLElement>('#main [role=grid]')?.focus();
    else return;
    event.preventDefault();
  };
  return (
    <div ref={element} class="tree" role="tree" tabindex="0" aria-label={t().layersOf(number(props.index + 1))} aria-activedescendant={active() ? `node-${active()!.id}` : undefined} onKeyDown={key} onPointerLeave={() => props.onHover(undefined)}>
      <For each={visible()}>
        {(node) => (
          <div
            id={`node-${node.id}`}
            role="treeitem"
            class={`node zone-${node.zone}`}
            classList={{ head: node.level === 1, hovered: props.hovered === node.id }}
            aria-level={node.level}
            aria-expanded={node.hasChildren ? isOpen(node) : undefined}
            aria-selected={props.chosen === node.id}
            data-level={node.level}
            data-key={node.field?.key}
            onClick={() => { props.onChoose(node.id); if (node.hasChildren) toggle(node, node.level > 1 || props.chosen === node.id || !isOpen(node) ? !isOpen(node) : true); }}
            onPointerEnter={() => props.onHover(node.id)}
          >
            <span class="twisty" aria-hidden="true">{node.hasChildren ? (isOpen(node) ? '▾' : '▸') : ''}</span>
            <span class="node-label">{node.label}</span>
            <Show when={node.value}><span class="node-value">{plain(node.value)}</span></Show>
            <Show when={node.meaning}><span class="node-meaning">{plain(node.meaning)}</span></Show>
            <Show when={node.level === 1}><span class="tag">{t()[node.zone]}</span></Show>
          </div>
        )}
      </For>
      <Show when={props.tree.error}>{(fault) => <div class="node fault" role="treeitem" aria-level="1" aria-selected="false">⚠ {t().stoppedWalk}: {plain(fault().message)}</div>}</Show>
    </div>
  );
}
