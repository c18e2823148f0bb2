/** What is wrong or strange, by kind, each a click away from its packets. */
import { For, Show } from 'solid-js';
import { number, plain } from './format.js';
import type { Problem } from './engine.js';
import { refine } from './filter/refine.js';
import { latest } from './latest.js';
import { capture, phase, revision } from './opened.js';
import { t } from './text/index.js';
import { filter, range, setTab, showWithin } from './view.js';

export function ProblemsPanel() {
  const found = latest(
    () => { const open = capture(); return open && { open, revision: revision() }; },
    ({ open }) => open.problems(),
  );
  const rows = () => (found.answer() ?? []).filter(({ count }) => count > 0);
  const show = ({ kind, expr }: Problem): void => {
    if (expr === undefined) return showWithin(`problem:${kind}`);
    refine(expr);
    setTab('packets');
  };
  return (
    <div class="problems">
      <h1 class="visually-hidden">{t().tabs.problems}</h1>
      <Show when={rows().length} fallback={<p class="wait">{found.answer() ? t().problemsNone : `${t().working}…`}</p>}>
        <Show when={filter() || range()}><p class="notice">{t().problemsOfWhole}</p></Show>
        <ul class="problem-list">
          <For each={rows()}>
            {(problem) => (
              <li>
                <span class="num count">{number(problem.count)}</span>
                <div>
                  <b>{t().problemKinds[problem.kind]?.[0] ?? problem.kind}</b> <Show when={phase() === 'reading'}><span class="dim">{t().soFar}</span></Show>
                  <p class="dim">{t().problemKinds[problem.kind]?.[1] ?? plain(problem.message)}</p>
                </div>
                <Show when={problem.expr !== undefined || problem.selection}><button type="button" title={problem.expr && t().filterBy(problem.expr)} aria-label={`${t().show}: ${t().problemKinds[problem.kind]?.[0] ?? problem.kind}`} onClick={() => show(problem)}>{t().show}</button></Show>
              </li>
            )}
          </For>
        </ul>
      </Show>
    </div>
  );
}
