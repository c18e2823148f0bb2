/**
 * Which row stands at the top for a scroll position, for any number of rows.
 *
 * Browsers cap the height of an element (Chromium at 33,554,428 px, others earlier): beyond it a scroll bar's pixel
 * stands for several rows. A drag then goes to where the bar says, while a wheel's small steps still move by pixels.
 */

/** Height that every browser allows. */
export const MAX_HEIGHT = 15_000_000;

export interface Scale {
  /** Height of the scrolled content. */
  height: number;
  /** Topmost row, with a fraction, at the end of the scroll way. */
  lastTop: number;
  /** Scroll position at the end of the way. */
  end: number;
}

export function scale(rows: number, rowHeight: number, viewHeight: number): Scale {
  const full = rows * rowHeight;
  const height = Math.min(full, MAX_HEIGHT);
  return { height, lastTop: Math.max(0, rows - viewHeight / rowHeight), end: Math.max(0, height - viewHeight) };
}

/** Whether a pixel of the way is a pixel of the rows. */
export const isTrue = ({ height, end, lastTop }: Scale, rowHeight: number): boolean => height < MAX_HEIGHT || end >= lastTop * rowHeight;

/** The row at the top for a position of the scroll bar. */
export function topOf(position: number, { lastTop, end }: Scale): number {
  return end <= 0 ? 0 : Math.min(lastTop, Math.max(0, (position / end) * lastTop));
}

/** The position of the scroll bar that has `top` at the top. */
export function positionOf(top: number, { lastTop, end }: Scale): number {
  return lastTop <= 0 ? 0 : Math.min(end, Math.max(0, (top / lastTop) * end));
}
