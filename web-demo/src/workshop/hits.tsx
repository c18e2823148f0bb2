/** What each rule of each mirror filter matched: a table that is sorted by any of its headings. */
import { For, Show } from 'solid-js';
import type { AwsReport } from '../engine.js';
import { refine } from '../filter/refine.js';
import { bytes, number, percent, plain } from '../format.js';
import { sortable } from '../sort.js';
import { t } from '../text/index.js';
import { setTab } from '../view.js';

/** As `mirrorscope aws explain --json` tells it; only what is shown. */
interface Rule {
  id: string;
  direction: string;
  number: number;
  action: string;
  condition: string;
  decided: { packets: number; bytes: number };
  share: number;
}

interface Filter {
  id: string;
  name?: string;
  judged: { packets: number };
  rules: Rule[];
  unmatched: { packets: number; bytes: number };
}

export function Hits(props: { of: AwsReport }) {
  const filters = () => (props.of.report['filters'] ?? []) as Filter[];
  return <For each={filters()}>{(filter) => <FilterHits of={filter} />}</For>;
}

const COLUMNS = ['direction', 'rule', 'action', 'condition', 'packets', 'bytes', 'share'] as const;
const NUMERIC: readonly string[] = ['rule', 'packets', 'bytes', 'share'];

function FilterHits(props: { of: Filter }) {
  const table = sortable(() => props.of.rules, {
    direction: (rule: Rule) => rule.direction,
    rule: (rule: Rule) => rule.number,
    action: (rule: Rule) => rule.action,
    condition: (rule: Rule) => rule.condition,
    packets: (rule: Rule) => rule.decided.packets,
    bytes: (rule: Rule) => rule.decided.bytes,
    share: (rule: Rule) => rule.share,
  });
  const show = (rule: Rule): void => {
    refine(rule.condition);
    setTab('packets');
  };
  return (
    <section class="hits">
      <h3>{plain(props.of.name || props.of.id)} <Show when={props.of.name}><code class="dim">{plain(props.of.id)}</code></Show></h3>
      <div class="scroll" tabindex="0" role="group" aria-label={plain(props.of.name || props.of.id)}>
        <table class="data">
          <thead>
            <tr>
              <For each={COLUMNS}>
                {(column) => (
                  <th scope="col" classList={{ numeric: NUMERIC.includes(column) }} aria-sort={table.direction(column)}>
                    <button type="button" class="link" data-sorted={table.direction(column)} onClick={() => table.choose(column)}>{t().hitColumns[column]}</button>
                  </th>
                )}
              </For>
            </tr>
          </thead>
          <tbody>
            <For each={table.sorted()}>
              {(rule) => (
                <tr classList={{ unused: rule.decided.packets === 0 }}>
                  <td>{t().directions[rule.direction] ?? plain(rule.direction)}</td>
                  <td class="num numeric">{rule.number}</td>
                  <td><span class={`tag action-${rule.action === 'accept' ? 'accept' : 'reject'}`}>{t().actions[rule.action] ?? plain(rule.action)}</span></td>
                  <td><button type="button" class="link mono" title={t().filterBy(rule.condition)} onClick={() => show(rule)}>{plain(rule.condition)}</button></td>
                  <td class="num numeric">{number(rule.decided.packets)}</td>
                  <td class="num numeric">{bytes(rule.decided.bytes)}</td>
                  <td class="num numeric">{percent(rule.share, 1)}</td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </div>
      <p class="dim small">{t().hitsUnmatched(number(props.of.unmatched.packets), number(props.of.judged.packets))}</p>
    </section>
  );
}
