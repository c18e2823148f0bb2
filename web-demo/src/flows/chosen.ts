/** The flow that is looked at. */
import { createSignal } from 'solid-js';
import type { Flow } from '../engine.js';
import { setTab } from '../view.js';

export const [flow, setFlow] = createSignal<Flow>();

/** Goes to the flow, from wherever it was named. */
export function showFlow(chosen: Flow): void {
  setFlow(chosen);
  setTab('flows');
}
