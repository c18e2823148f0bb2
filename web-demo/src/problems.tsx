/** What is wrong or strange, by kind, each a click away from its packets. */
import { For, Show } from 'solid-js';
import { number } from './format.js';
import { latest } from './latest.js';
import { capture, phase, revision } from './opened.js';
import { t } from './text/index.js';
import { setFilter, setTab, setTyping } from './view.js';

export function ProblemsPanel() {
  const found = latest(
    () => { const open = capture(); return open && { open, revision: revision() }; },
    ({ open }) => open.problems(),
  );
  const rows = () => (found.answer() ?? []).filter(({ count }) => count > 0);
  const show = (expr: string): void => {
    setTyping(0);
    setFilter(expr);
    setTab('packets');
  };
  return (
    <div class="problems">
      <h1 class="visually-hidden">{t().tabs.problems}</h1>
      <Show when={rows().length} fallback={<p class="wait">{found.answer() ? t().problemsNone : `${t().working}…`}</p>}>
        <ul class="problem-list">
          <For each={rows()}>
            {(problem) => (
              <li>
                <span class="num count">{number(problem.count)}</span>
                <div>
                  <b>{t().problemKinds[problem.kind]?.[0] ?? problem.kind}</b> <Show when={phase() === 'reading'}><span class="dim">{t().soFar}</span></Show>
                  <p class="dim">{t().problemKinds[problem.kind]?.[1]}</p>
                </div>
                <Show when={problem.expr}>{(expr) => <button type="button" title={t().filterBy(expr())} onClick={() => show(expr())}>{t().show}</button>}</Show>
              </li>
            )}
          </For>
        </ul>
      </Show>
    </div>
  );
}
