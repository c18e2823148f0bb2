/** The columns of the packet table. */
import { RowFlag, type Row } from '../engine.js';
import { number, plain, time } from '../format.js';
import { place } from '../flows/names.js';
import type { GridColumn } from '../grid/grid.js';
import { gaps } from '../live/gaps.js';
import { sessionLabel } from '../session.js';
import { firstNs } from '../shown.js';
import { t } from '../text/index.js';
import { timeStyle, type Column } from '../view.js';
import { isMarked } from './marks.js';

const WIDTHS: Record<Column, string> = {
  number: '5.5rem',
  time: '8.5rem',
  session: 'minmax(6.5rem, 9rem)',
  src: 'minmax(8rem, 13rem)',
  dst: 'minmax(8rem, 13rem)',
  protocol: '5.5rem',
  length: '5rem',
  info: 'minmax(16rem, 1fr)',
  marks: '6rem',
  flow: '5rem',
};
const NUMERIC: Column[] = ['number', 'time', 'length', 'flow'];

export function gridColumns(names: Column[]): GridColumn<Row>[] {
  return names.map((id) => ({ id, name: t().columnNames[id], width: WIDTHS[id], numeric: NUMERIC.includes(id), cell: (row) => cell(id, row) }));
}

function cell(id: Column, row: Row): string | Node {
  switch (id) {
    case 'number': return number(row.number);
    case 'time': return time(row.timestampNs, timeStyle(), firstNs() ?? row.timestampNs);
    case 'session': return sessionLabel(row.session);
    case 'length': return number(row.length);
    case 'marks': return marks(row);
    case 'flow': return row.flow === undefined ? '' : number(row.flow + 1);
    case 'src': return place(row.src, row.srcPort);
    case 'dst': return place(row.dst, row.dstPort);
    case 'info': return plain(row.error ?? row.info);
    default: return plain(row[id]);
  }
}

/** Those that are worth a mark: that a packet is mirrored is what is expected. */
const MARKS = ['inline', 'truncated', 'undecodable', 'fragment', 'duplicate', 'retransmission', 'unknownOption', 'clockBack'] as const;

function marks({ flags, index }: Row): string | Node {
  const fragment = document.createDocumentFragment();
  const add = (name: keyof ReturnType<typeof t>['marks']): void => {
    const mark = document.createElement('abbr');
    mark.className = `mark-tag ${name}`;
    mark.textContent = t().marks[name];
    mark.title = t().marksLong[name];
    fragment.append(mark);
  };
  if (isMarked(index)) add('marked');
  if (gaps().has(index)) add('gap');
  MARKS.filter((name) => flags & RowFlag[name]).forEach(add);
  return fragment;
}

/** What a row looks like as a whole. */
export const rowClass = ({ index }: Row): string => [isMarked(index) && 'marked', gaps().has(index) && 'after-gap'].filter(Boolean).join(' ');
