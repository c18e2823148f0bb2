/** The keys, and the filter language in six lines. */
import { For } from 'solid-js';
import { lettersAreOn, switchLetters } from '../keys.js';
import { t } from '../text/index.js';
import { Dialog } from './dialog.js';
import { helpIsOpen, setHelpIsOpen } from './open.js';

const EXAMPLES = [
  'tcp port 443 and not host 8.8.8.8',
  'net 10.20.0.0/16 and udp',
  'vni 9325541',
  'endpoint vpce-00a1b2c3d4e5f6071',
  'source 10.10.0.4',
  'truncated or inline',
  'outer (src host 10.0.1.5)',
];

export function HelpDialog() {
  return (
    <Dialog isOpen={helpIsOpen()} title={t().help} onClose={() => setHelpIsOpen(false)} class="help">
      <section>
        <h3>{t().helpTitle}</h3>
        <dl class="keys">
          <For each={t().keys}>
            {([keys, what]) => (
              <div>
                <dt><For each={keys.split(' ')}>{(key) => (key === '…' ? <span>…</span> : <kbd>{key}</kbd>)}</For></dt>
                <dd>{what}</dd>
              </div>
            )}
          </For>
        </dl>
        <label class="check"><input type="checkbox" checked={lettersAreOn()} onChange={(event) => switchLetters(event.currentTarget.checked)} /> {t().keysOn}</label>
      </section>
      <section>
        <h3>{t().helpFilter}</h3>
        <p>{t().helpFilterText}</p>
        <ul class="examples"><For each={EXAMPLES}>{(example) => <li><code>{example}</code></li>}</For></ul>
      </section>
    </Dialog>
  );
}
