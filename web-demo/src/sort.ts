/** Small tables that are sorted by their headings. */
import { createSignal, type Accessor } from 'solid-js';

export interface Order<K extends string> {
  by: K;
  descending: boolean;
}

/** What a row has in a column; numbers are the greatest first when a column is chosen, words in their order. */
export type Values<R, K extends string> = Record<K, (row: R) => number | string>;

/** Rows in the order that a heading was chosen for; in the given order before one was. */
export function sortable<R, K extends string>(rows: Accessor<R[]>, values: Values<R, K>) {
  const [order, setOrder] = createSignal<Order<K>>();
  const sorted = (): R[] => {
    const wished = order();
    if (!wished) return rows();
    const value = values[wished.by];
    const sign = wished.descending ? -1 : 1;
    return [...rows()].sort((a, b) => sign * compare(value(a), value(b)));
  };
  const choose = (by: K): void => {
    const isNumeric = typeof values[by](rows()[0] as R) === 'number';
    setOrder((before) => (before?.by === by ? { by, descending: !before.descending } : { by, descending: isNumeric }));
  };
  const direction = (by: K): 'ascending' | 'descending' | 'none' => {
    const wished = order();
    return wished?.by !== by ? 'none' : wished.descending ? 'descending' : 'ascending';
  };
  return { sorted, choose, direction };
}

function compare(a: number | string, b: number | string): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
}
