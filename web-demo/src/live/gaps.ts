/** Where packets are missing in a live capture, because it was paused or the connection was lost. */
import { createSignal } from 'solid-js';

/** Gaps kept; the oldest belong to packets that the ring has long forgotten. */
const MAX = 1000;

/** Indices of the packets behind the gaps. */
const [gaps, setGaps] = createSignal<ReadonlySet<number>>(new Set());
export { gaps };

export const noteGap = (index: number): void => void setGaps((before) => new Set([...before, index].slice(-MAX)));

export const forgetGaps = (): void => void setGaps(new Set<number>());
