/** A packet's layers and fields as a list of nodes, each with its octets. */
import type { Field, Layer, PacketTree } from '../engine.js';

/** Which wrapping a layer belongs to. */
export type Zone = 'outer' | 'mirror' | 'inner';

export interface Node {
  id: string;
  parent?: string;
  level: number;
  label: string;
  value: string;
  meaning: string;
  /** Octets of the frame. */
  offset: number;
  len: number;
  zone: Zone;
  layer: Layer;
  field?: Field;
  hasChildren: boolean;
}

/** The load balancer's wrapping is outer up to Geneve, the mirror's what follows it, and inner the mirrored packet. */
export function zoneOf(tree: PacketTree, index: number): Zone {
  if (index >= tree.subject) return 'inner';
  const geneve = tree.layers.findIndex(({ key }) => key === 'geneve');
  return geneve >= 0 && index > geneve ? 'mirror' : geneve < 0 && tree.layers.some(({ key }) => key === 'vxlan') ? 'mirror' : 'outer';
}

export function nodesOf(tree: PacketTree): Node[] {
  return tree.layers.flatMap((layer, index) => {
    const zone = zoneOf(tree, index);
    const id = String(index);
    const head: Node = { id, level: 1, label: layer.name, value: summary(layer), meaning: '', offset: layer.offset, len: layer.headerLen, zone, layer, hasChildren: layer.fields.length > 0 };
    return [head, ...fields(layer.fields, id, 2, layer, zone)];
  });
}

function fields(list: Field[], parent: string, level: number, layer: Layer, zone: Zone): Node[] {
  return list.flatMap((field, place) => {
    const id = `${parent}.${place}`;
    const children = field.children ?? [];
    const own: Node = { id, parent, level, label: field.label, value: field.value === undefined ? '' : String(field.value), meaning: field.meaning ?? '', offset: field.offset, len: field.len, zone, layer, field, hasChildren: children.length > 0 };
    return [own, ...fields(children, id, level + 1, layer, zone)];
  });
}

/** What tells a layer from others of its kind. */
function summary(layer: Layer): string {
  const of = (...names: string[]): string | undefined => {
    const found = layer.fields.find(({ key }) => names.some((name) => key.endsWith(name)));
    return found?.value === undefined ? undefined : String(found.value);
  };
  const [src, dst] = [of('.src', '.srcport', '.src_port'), of('.dst', '.dstport', '.dst_port')];
  if (src !== undefined && dst !== undefined) return `${src} → ${dst}`;
  // GWLB's Geneve has no VNI that means something; its endpoint does.
  if (layer.key === 'geneve') return found(layer.fields, /endpoint/) ?? '';
  return of('.vni') !== undefined ? `VNI ${of('.vni')}` : '';
}

/** The value of the first field whose key fits, however deep it stands. */
function found(fields: Field[], key: RegExp): string | undefined {
  for (const field of fields) {
    if (key.test(field.key) && field.value !== undefined && !field.children?.length) return String(field.value);
    const inside = found(field.children ?? [], key);
    if (inside !== undefined) return inside;
  }
  return undefined;
}

/** The smallest node over an octet; of equals the deepest. */
export function nodeAt(nodes: Node[], octet: number): Node | undefined {
  let best: Node | undefined;
  for (const node of nodes) {
    const covers = node.len > 0 && node.offset <= octet && octet < node.offset + node.len;
    if (covers && (!best || node.len < best.len || (node.len === best.len && node.level > best.level))) best = node;
  }
  return best;
}
