/**
 * A table of any number of rows, of which only the visible ones exist: `role=grid`, one tab stop, keys, scaled height.
 *
 * Rows are asked for by pages when they come into sight, and the newest wish is served first.
 */
import { isTrue, positionOf, scale, topOf, type Scale } from './scale.js';

export interface GridColumn<R> {
  id: string;
  name: string;
  /** A CSS grid track. */
  width: string;
  numeric?: boolean;
  /** Text of a cell, or what stands in it. */
  cell: (row: R) => string | Node;
  /** Makes the heading a button that sorts. */
  sorted?: 'ascending' | 'descending' | 'none';
}

export interface GridOptions<R> {
  label: string;
  fetch: (from: number, count: number) => Promise<R[]>;
  /** The chosen row changed, by key or pointer. */
  onChoose: (index: number, row: R | undefined) => void;
  /** Enter, or a double click. */
  onOpen?: (index: number) => void;
  onSort?: (column: string) => void;
  rowClass?: (row: R) => string;
}

export const ROW_HEIGHT = 24;
const PAGE = 64;
/** Pages kept: some forty screens. */
const MAX_PAGES = 48;
/** After the last scroll event, in milliseconds, the bar is put where the rows say. */
const SETTLE = 160;

let made = 0;

export class Grid<R> {
  readonly element = document.createElement('div');
  readonly #head = document.createElement('div');
  readonly #body = document.createElement('div');
  readonly #id = `grid${(made += 1)}`;
  readonly #options: GridOptions<R>;
  readonly #pool: HTMLElement[] = [];
  readonly #pages = new Map<number, R[]>();
  /** What stood there before, shown until the new rows are read. */
  #stale = new Map<number, R[]>();
  /** What each element shows. */
  readonly #shown = new Map<HTMLElement, { index: number; row: R | undefined }>();
  #columns: GridColumn<R>[] = [];
  #count = 0;
  #top = 0;
  #chosen = -1;
  #epoch = 0;
  #isAsking = false;
  #lastPosition = 0;
  #frame = 0;
  #settle = 0;
  #rowHeight = ROW_HEIGHT;
  /** Height of the rows' place; asking for it while rows are written would make the browser lay out each time. */
  #height = 0;
  readonly #resize = new ResizeObserver(() => this.#resized());

  constructor(options: GridOptions<R>) {
    this.#options = options;
    const { element } = this;
    element.className = 'grid';
    element.tabIndex = 0;
    element.setAttribute('role', 'grid');
    element.setAttribute('aria-label', options.label);
    this.#head.className = 'grid-head';
    this.#head.setAttribute('role', 'row');
    this.#head.setAttribute('aria-rowindex', '1');
    const headGroup = document.createElement('div');
    headGroup.setAttribute('role', 'rowgroup');
    headGroup.className = 'grid-head-group';
    headGroup.append(this.#head);
    this.#body.className = 'grid-body';
    this.#body.setAttribute('role', 'rowgroup');
    element.append(headGroup, this.#body);
    element.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    element.addEventListener('keydown', (event) => this.#key(event));
    this.#body.addEventListener('pointerdown', (event) => this.#pointed(event));
    this.#body.addEventListener('dblclick', () => this.#chosen >= 0 && options.onOpen?.(this.#chosen));
    this.#resize.observe(element);
  }

  dispose(): void {
    this.#resize.disconnect();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#settle);
    this.#epoch += 1;
    this.element.remove();
  }

  set label(label: string) {
    this.element.setAttribute('aria-label', label);
  }

  set columns(columns: GridColumn<R>[]) {
    this.#columns = columns;
    this.element.style.setProperty('--tracks', columns.map(({ width }) => width).join(' '));
    // Every row must be as wide as all others, whatever stands in it, or its cells stand elsewhere.
    this.element.style.setProperty('--row-width', `calc(${columns.map(({ width }) => leastWidth(width)).join(' + ')})`);
    this.element.setAttribute('aria-colcount', String(columns.length));
    this.#head.replaceChildren(...columns.map((column, index) => this.#heading(column, index)));
    for (const row of this.#pool.splice(0)) row.remove();
    this.#shown.clear();
    this.#schedule();
  }

  /** How many rows there are; those already read stay. */
  set count(count: number) {
    if (count === this.#count) return;
    // The last page was not full.
    this.#pages.delete(Math.floor(this.#count / PAGE));
    this.#count = count;
    this.element.setAttribute('aria-rowcount', String(count + 1));
    if (this.#chosen >= count) this.#chosen = -1;
    this.#schedule();
  }

  /** Forgets all rows: they mean something else now. */
  reset(): void {
    this.#epoch += 1;
    this.#isAsking = false;
    if (this.#pages.size > 0) this.#stale = new Map(this.#pages);
    this.#pages.clear();
    this.#schedule();
  }

  /** Writes the rows in sight anew. */
  repaint(): void {
    this.#shown.clear();
    this.#schedule();
  }

  /** Chooses a row without telling, and brings it into sight. */
  choose(index: number, shouldReveal = true): void {
    if (index === this.#chosen) return;
    this.#chosen = index;
    if (shouldReveal && index >= 0) this.#reveal(index);
    this.#draw();
  }

  get chosen(): number {
    return this.#chosen;
  }

  focus(): void {
    this.element.focus({ preventScroll: true });
  }

  /** Brings the last row into sight, as one who follows wants. */
  toEnd(): void {
    this.#moveTo(Number.MAX_SAFE_INTEGER);
  }

  #heading(column: GridColumn<R>, index: number): HTMLElement {
    const heading = document.createElement('div');
    heading.setAttribute('role', 'columnheader');
    heading.setAttribute('aria-colindex', String(index + 1));
    if (column.numeric) heading.className = 'numeric';
    if (column.sorted) {
      heading.setAttribute('aria-sort', column.sorted);
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = column.name;
      button.dataset['sorted'] = column.sorted;
      button.addEventListener('click', () => this.#options.onSort?.(column.id));
      heading.append(button);
    } else {
      heading.textContent = column.name;
    }
    return heading;
  }

  #scale(): Scale {
    return scale(this.#count, this.#rowHeight, this.#height);
  }

  #scrolled(): void {
    const position = this.element.scrollTop;
    const way = this.#scale();
    const step = position - this.#lastPosition;
    if (step === 0) return this.#schedule();
    this.#lastPosition = position;
    if (isTrue(way, this.#rowHeight)) this.#top = position / this.#rowHeight;
    else if (position <= 0 || position >= way.end - 1 || Math.abs(step) > 2 * this.#height) this.#top = topOf(position, way);
    else this.#top = Math.min(way.lastTop, Math.max(0, this.#top + step / this.#rowHeight));
    this.#schedule();
    clearTimeout(this.#settle);
    this.#settle = window.setTimeout(() => this.#moveTo(this.#top), SETTLE);
  }

  /** Puts `top` at the top, and the bar where it belongs. */
  #moveTo(top: number): void {
    const way = this.#scale();
    this.#top = Math.min(way.lastTop, Math.max(0, top));
    const position = isTrue(way, this.#rowHeight) ? this.#top * this.#rowHeight : positionOf(this.#top, way);
    this.#body.style.height = `${way.height}px`;
    if (Math.abs(position - this.element.scrollTop) >= 1) this.element.scrollTop = position;
    this.#lastPosition = this.element.scrollTop;
    this.#draw();
  }

  #resized(): void {
    const isFirst = this.#height === 0;
    this.#height = Math.max(0, this.element.clientHeight - this.#head.offsetHeight);
    if (isFirst && this.#chosen >= 0) this.#reveal(this.#chosen);
    this.#draw();
  }

  #reveal(index: number): void {
    if (this.#height === 0) return;
    const rows = Math.floor(this.#height / this.#rowHeight);
    if (index < this.#top) this.#moveTo(index);
    else if (index >= this.#top + rows) this.#moveTo(index - rows + 1);
  }

  #schedule(): void {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #draw(): void {
    const way = this.#scale();
    this.#body.style.height = `${way.height}px`;
    this.#top = Math.min(this.#top, way.lastTop);
    const first = Math.floor(this.#top);
    const visible = Math.min(this.#count - first, Math.ceil(this.#height / this.#rowHeight) + 1);
    const size = Math.max(0, visible);
    while (this.#pool.length < size) this.#pool.push(this.#newRow());
    const position = this.#lastPosition;
    this.element.removeAttribute('aria-activedescendant');
    this.#pool.forEach((element, place) => {
      // A row keeps its element while it is in sight, so that a screen reader does not lose it.
      const index = first + ((((place - first) % this.#pool.length) + this.#pool.length) % this.#pool.length);
      const isShown = index < first + size && index < this.#count;
      element.hidden = !isShown;
      if (isShown) this.#fill(element, index, position + (index - this.#top) * this.#rowHeight);
    });
    this.#want(first, first + size);
  }

  #newRow(): HTMLElement {
    const row = document.createElement('div');
    row.setAttribute('role', 'row');
    row.id = `${this.#id}-${this.#pool.length}`;
    this.#columns.forEach((column, index) => {
      const cell = document.createElement('div');
      cell.setAttribute('role', 'gridcell');
      cell.setAttribute('aria-colindex', String(index + 1));
      if (column.numeric) cell.className = 'numeric';
      row.append(cell);
    });
    this.#body.append(row);
    return row;
  }

  #fill(element: HTMLElement, index: number, y: number): void {
    element.style.transform = `translateY(${y}px)`;
    const isChosen = index === this.#chosen;
    if (isChosen) this.element.setAttribute('aria-activedescendant', element.id);
    element.setAttribute('aria-selected', String(isChosen));
    const page = Math.floor(index / PAGE);
    const row = (this.#pages.get(page) ?? this.#stale.get(page))?.[index % PAGE];
    const shown = this.#shown.get(element);
    if (shown && shown.index === index && shown.row === row) return;
    this.#shown.set(element, { index, row });
    element.setAttribute('aria-rowindex', String(index + 2));
    element.className = `grid-row ${index % 2 ? 'odd' : ''} ${row ? (this.#options.rowClass?.(row) ?? '') : 'waiting'}`;
    this.#columns.forEach((column, place) => {
      const cell = element.children[place];
      const content = row ? column.cell(row) : '';
      if (!cell) return;
      if (typeof content === 'string') cell.textContent = content;
      else cell.replaceChildren(content);
    });
  }

  /** Asks for the first page in sight that is missing. */
  #want(from: number, to: number): void {
    if (this.#isAsking) return;
    for (let page = Math.floor(from / PAGE); page * PAGE < to; page += 1) {
      if (!this.#pages.has(page)) return void this.#ask(page);
    }
  }

  async #ask(page: number): Promise<void> {
    const epoch = this.#epoch;
    this.#isAsking = true;
    const rows = await this.#options.fetch(page * PAGE, Math.min(PAGE, this.#count - page * PAGE)).catch(() => undefined);
    if (epoch !== this.#epoch) return;
    this.#isAsking = false;
    if (!rows) return;
    this.#pages.set(page, rows);
    const oldest = this.#pages.keys().next().value;
    if (this.#pages.size > MAX_PAGES && oldest !== undefined) this.#pages.delete(oldest);
    this.#schedule();
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this.element) return;
    const page = Math.max(1, Math.floor(this.#height / this.#rowHeight) - 1);
    const at = this.#chosen < 0 ? Math.ceil(this.#top) - 1 : this.#chosen;
    const moves: Record<string, number> = {
      ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1, PageDown: at + page, PageUp: at - page,
      Home: 0, g: 0, End: this.#count - 1, G: this.#count - 1,
    };
    if (event.key === 'Enter' && this.#chosen >= 0) this.#options.onOpen?.(this.#chosen);
    else if (event.key in moves) this.#tell(Math.min(this.#count - 1, Math.max(0, moves[event.key]!)));
    else return;
    event.preventDefault();
  }

  #pointed(event: PointerEvent): void {
    if (event.button !== 0) return;
    const row = (event.target as Element).closest('[role=row]');
    const index = Number(row?.getAttribute('aria-rowindex')) - 2;
    if (index >= 0) this.#tell(index);
  }

  #tell(index: number): void {
    if (this.#count === 0) return;
    this.choose(index);
    this.#options.onChoose(index, this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE]);
  }
}

/** The least width of a CSS grid track. */
const leastWidth = (track: string): string => /^minmax\(([^,]+),/.exec(track)?.[1] ?? track;
