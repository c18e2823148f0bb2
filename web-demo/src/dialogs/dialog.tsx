/** A modal dialog: the browser's own, which keeps focus inside, gives it back, and closes on Escape. */
import { createEffect, createUniqueId, type JSX } from 'solid-js';
import { t } from '../text/index.js';

export function Dialog(props: { isOpen: boolean; title: string; onClose: () => void; class?: string; children: JSX.Element }) {
  const id = createUniqueId();
  let element!: HTMLDialogElement;
  createEffect(() => {
    if (props.isOpen && !element.open) element.showModal();
    else if (!props.isOpen && element.open) element.close();
  });
  return (
    <dialog ref={element} class={`dialog ${props.class ?? ''}`} aria-labelledby={id} onClose={props.onClose} onClick={(event) => event.target === element && element.close()}>
      <div class="dialog-inside">
        <header>
          <h2 id={id}>{props.title}</h2>
          <button type="button" class="quiet" onClick={() => element.close()} aria-label={t().close}>✕</button>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}
