/** Packets that the reader marked: kept in the address, so that a link shows them to others too. */
import { MAX_MARKS, marked, packet, setMarked, setPacket } from '../view.js';

export const isMarked = (index: number): boolean => marked().includes(index);

/** Marks the chosen packet, or takes its mark away. */
export function toggleMark(): void {
  const index = packet();
  if (index === undefined) return;
  if (isMarked(index)) setMarked(marked().filter((other) => other !== index));
  else if (marked().length < MAX_MARKS) setMarked([...marked(), index].sort((a, b) => a - b));
}

/** Goes to the next marked packet, or the one before; at the end it begins again. */
export function goToMark(isForward: boolean): void {
  const now = packet() ?? -1;
  const list = isForward ? marked() : [...marked()].reverse();
  const next = list.find((index) => (isForward ? index > now : index < now)) ?? list[0];
  if (next !== undefined) setPacket(next);
}
