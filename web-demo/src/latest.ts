/** An answer that follows a question: one at a time is asked, the newest question next, and the last answer stays meanwhile. */
import { createEffect, createSignal, onCleanup, type Accessor } from 'solid-js';

/** Why a part of the decoder could not be loaded, as the last answer tells: then no view can say anything. */
export const [unloaded, setUnloaded] = createSignal<Error>();

export interface Latest<A> {
  answer: Accessor<A | undefined>;
  error: Accessor<unknown>;
  pending: Accessor<boolean>;
}

/**
 * @param question what is asked; `undefined` asks nothing and forgets the answer
 * @param ask aborted when a question that `replaces` the asked one comes
 */
export function latest<Q, A>(
  question: Accessor<Q | undefined>,
  ask: (question: Q, signal: AbortSignal) => Promise<A>,
  replaces: (asked: Q, next: Q) => boolean = () => false,
): Latest<A> {
  const [answer, setAnswer] = createSignal<A>();
  const [error, setError] = createSignal<unknown>();
  const [pending, setPending] = createSignal(false);
  let asked: { question: Q; abort: AbortController } | undefined;
  let next: Q | undefined;
  let isOver = false;

  const run = async (): Promise<void> => {
    while (next !== undefined && !isOver) {
      const current = next;
      next = undefined;
      asked = { question: current, abort: new AbortController() };
      setPending(true);
      try {
        const value = await ask(current, asked.abort.signal);
        if (isOver || asked.abort.signal.aborted) continue;
        setAnswer(() => value);
        setError(undefined);
        setUnloaded(undefined);
      } catch (fault) {
        if ((fault as { code?: string }).code === 'MODULE') setUnloaded(() => fault as Error);
        if (!isOver && !asked.abort.signal.aborted) setError(() => fault);
      }
    }
    asked = undefined;
    if (!isOver) setPending(false);
  };

  createEffect(() => {
    const wished = question();
    if (wished === undefined) {
      next = undefined;
      asked?.abort.abort();
      setAnswer(undefined);
      setError(undefined);
      return;
    }
    next = wished;
    if (!asked) void run();
    else if (replaces(asked.question, wished)) asked.abort.abort();
  });
  onCleanup(() => {
    isOver = true;
    asked?.abort.abort();
  });
  return { answer, error, pending };
}
