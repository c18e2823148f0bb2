/** What was mirrored, at a glance: facts, sessions, what it consists of, and what is no copy. Every number is a filter. */
import { For, Show } from 'solid-js';
import type { Counted, Overview } from '../engine.js';
import { hostTest, refine } from '../filter/refine.js';
import { bytes, duration, number, percent, plain } from '../format.js';
import { isFiltering, overview, phase } from '../opened.js';
import { t } from '../text/index.js';
import { Busiest } from './busiest.js';
import { Sessions } from './sessions.js';

const TOP = 8;

export function OverviewPanel() {
  return (
    <Show when={overview()} fallback={<p class="wait" role="status">{t().reading}…</p>}>
      {(shown) => (
        <div class="overview" classList={{ busy: isFiltering() }}>
          <h1 class="visually-hidden">{t().tabs.overview}</h1>
          <Facts of={shown()} />
          <Sessions of={shown()} />
          <div class="cards">
            <Bars title={t().protocols} rows={shown().protocols} test={protocolTest} />
            <Bars title={t().talkers} rows={shown().talkers} test={(row) => hostTest(row.name)} />
            <Bars title={t().ports} rows={shown().ports} test={portTest} />
            <Sizes of={shown()} />
            <Hosts of={shown()} />
            <Busiest />
          </div>
        </div>
      )}
    </Show>
  );
}

function Facts(props: { of: Overview }) {
  const span = () => Number(props.of.lastNs - props.of.firstNs);
  const decoded = () => props.of.packets - props.of.undecodable.packets;
  const facts = () => [
    [t().facts.packets, number(props.of.packets), phase() === 'reading' ? t().soFar : ''],
    [t().facts.bytes, bytes(props.of.bytes), ''],
    [t().facts.span, duration(span()), ''],
    [t().facts.rate, span() > 0 ? t().perSecond(bytes(props.of.bytes / (span() / 1e9))) : '–', ''],
    [t().facts.decoded, percent(decoded(), props.of.packets), props.of.undecodable.packets ? `${t().undecodable} ${number(props.of.undecodable.packets)}` : ''],
  ];
  return (
    <dl class="facts">
      <For each={facts()}>{([name, value, note]) => <div><dt>{name}</dt><dd>{value} <Show when={note}><small>{note}</small></Show></dd></div>}</For>
    </dl>
  );
}

/** A list with bars that are as long as the share of bytes. */
function Bars(props: { title: string; rows: Counted[]; test: (row: Counted) => string | undefined }) {
  const rows = () => props.rows.slice(0, TOP);
  const largest = () => Math.max(1, ...rows().map((row) => row.bytes));
  return (
    <section class="card">
      <h2>{props.title}</h2>
      <Show when={rows().length} fallback={<p class="dim">{t().none}</p>}>
        <ol class="bars">
          <For each={rows()}>
            {(row) => (
              <li>
                <Show when={props.test(row)} fallback={<span class="bar-name">{plain(row.name)}</span>}>
                  {(test) => <button type="button" class="link bar-name" title={t().filterBy(test())} onClick={(event) => refine(test(), event.altKey)}>{plain(row.name)}</button>}
                </Show>
                <span class="num bar-value">{bytes(row.bytes)}</span>
                <span class="num dim bar-count">{number(row.packets)}</span>
                <span class="bar"><i style={{ width: `${(100 * row.bytes) / largest()}%` }} /></span>
              </li>
            )}
          </For>
        </ol>
      </Show>
    </section>
  );
}

function Sizes(props: { of: Overview }) {
  const largest = () => Math.max(1, ...props.of.sizes.map(({ packets }) => packets));
  return (
    <section class="card">
      <h2>{t().sizes}</h2>
      <ol class="sizes">
        <For each={props.of.sizes}>
          {(size, index) => {
            const from = () => (index() === 0 ? 0 : (props.of.sizes[index() - 1]?.upTo ?? 0) + 1);
            const test = () => (index() === 0 ? `less ${size.upTo}` : `greater ${from()} and less ${size.upTo}`);
            return (
              <li>
                <span class="column"><i style={{ height: `${(100 * size.packets) / largest()}%` }} /></span>
                <button type="button" class="link num" title={t().filterBy(test())} onClick={() => refine(test())}>≤{size.upTo}</button>
                <span class="num dim">{number(size.packets)}</span>
              </li>
            );
          }}
        </For>
      </ol>
    </section>
  );
}

function Hosts(props: { of: Overview }) {
  return (
    <section class="card">
      <h2>{t().hosts}</h2>
      <Show when={props.of.hosts.length} fallback={<p class="dim">{t().hostsNone}</p>}>
        <ol class="names">
          <For each={props.of.hosts.slice(0, TOP)}>
            {(host) => <li><span class="tag">{host.kind.toUpperCase()}</span><code>{plain(host.name)}</code><span class="num dim">{number(host.packets)}</span></li>}
          </For>
        </ol>
      </Show>
    </section>
  );
}

/** Words of the filter language; other protocols have a number, or no test. */
function protocolTest({ name }: Counted): string | undefined {
  const word = name.toLowerCase();
  if (['tcp', 'udp', 'icmp', 'icmp6', 'arp', 'ip', 'ip6', 'igmp', 'sctp', 'ah', 'esp', 'vrrp', 'pim'].includes(word)) return word;
  if (word === 'icmpv6') return 'icmp6';
  const port = { http: 80, dns: 53, tls: 443, https: 443 }[word];
  return port ? `port ${port}` : undefined;
}

function portTest({ name }: Counted): string | undefined {
  const found = /^(tcp|udp|sctp)?[ /]?(\d+)$/i.exec(name) ?? /^(\d+)\/(tcp|udp|sctp)$/i.exec(name);
  if (!found) return undefined;
  const [port, word] = /^\d/.test(found[1] ?? '') ? [found[1], found[2]] : [found[2], found[1]];
  return word ? `${word.toLowerCase()} port ${port}` : `port ${port}`;
}
