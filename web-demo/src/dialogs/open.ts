/** Which dialog is open. */
import { createSignal } from 'solid-js';

export const [exportIsOpen, setExportIsOpen] = createSignal(false);
export const [helpIsOpen, setHelpIsOpen] = createSignal(false);
