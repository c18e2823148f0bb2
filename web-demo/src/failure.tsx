/** Why something could not be opened: which file, what it is, what was wanted. */
import { Show } from 'solid-js';
import { plain } from './format.js';
import { failure } from './opened.js';
import { t } from './text/index.js';

export function FailureNotice() {
  return (
    <Show when={failure()}>
      {(fault) => (
        <div class="notice bad" role="alert">
          <b>{t().cannotOpen}<Show when={fault().name}>: <code>{plain(fault().name!)}</code></Show></b>
          <Show when={fault().kind}>{(kind) => <p>{t().wrongKinds[kind()]}</p>}</Show>
          <p>{sentence(fault().message)} <Show when={fault().hint}>{sentence(fault().hint!)}</Show></p>
        </div>
      )}
    </Show>
  );
}

/** The decoder's words are parts of sentences, as programs print them. */
function sentence(words: string): string {
  const text = plain(words.trim());
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
}
