/** The grid as a component. */
import { createEffect, createSignal, on, onCleanup, onMount } from 'solid-js';
import { Grid, type GridColumn, type GridOptions } from './grid.js';

export interface GridProps<R> extends Omit<GridOptions<R>, 'label'> {
  label: string;
  columns: GridColumn<R>[];
  count: number;
  /** Rows mean something else when this changes. */
  meaning: unknown;
  /** The same rows look different when this changes. */
  look?: unknown;
  chosen?: number;
  ref?: (grid: Grid<R>) => void;
  follows?: boolean;
}

export function GridView<R>(props: GridProps<R>) {
  let host!: HTMLDivElement;
  const [grid, setGrid] = createSignal<Grid<R>>();
  onMount(() => {
    const made = new Grid<R>({
      label: props.label,
      fetch: (from, count) => props.fetch(from, count),
      onChoose: (index, row) => props.onChoose(index, row),
      onOpen: (index) => props.onOpen?.(index),
      onSort: (column) => props.onSort?.(column),
      rowClass: (row) => props.rowClass?.(row) ?? '',
    });
    host.append(made.element);
    setGrid(() => made);
    props.ref?.(made);
    onCleanup(() => made.dispose());
  });
  createEffect(() => { const made = grid(); if (made) made.label = props.label; });
  createEffect(() => { const made = grid(); if (made) made.columns = props.columns; });
  createEffect(on(() => [grid(), props.meaning], () => grid()?.reset(), { defer: true }));
  createEffect(on(() => [grid(), props.look], () => grid()?.repaint(), { defer: true }));
  createEffect(() => {
    const made = grid();
    if (!made) return;
    made.count = props.count;
    if (props.follows) made.toEnd();
  });
  createEffect(() => grid()?.choose(props.chosen ?? -1));
  return <div class="grid-host" ref={host} />;
}
