/** What was mirrored, at a glance: facts, sessions, what it consists of, and what is no copy. Every number is a filter. */
import { For, Show } from 'solid-js';
import type { Overview } from '../engine.js';
import { hostTest, refine } from '../filter/refine.js';
import { bytes, duration, number, percent, plain } from '../format.js';
import { phase } from '../opened.js';
import { isFiltering, overview } from '../shown.js';
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
            <Bars title={t().protocols} rows={shown().protocols.map((row) => ({ ...row, test: protocolTest(row.name) }))} />
            <Bars title={t().talkers} rows={shown().talkers.map((row) => ({ ...row, name: row.name ? `${row.address} ${row.name}` : row.address, test: hostTest(row.address) }))} />
            <Bars title={t().ports} rows={shown().ports.map((row) => ({ ...row, name: `${row.port}/${row.protocol.toLowerCase()} ${row.service ?? ''}`, test: portTest(row) }))} />
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

interface Counted {
  name: string;
  packets: number;
  bytes: number;
  /** The filter that it stands for. */
  test: string | undefined;
}

/** A list with bars that are as long as the share of bytes. */
function Bars(props: { title: string; rows: Counted[] }) {
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
                <Show when={row.test} fallback={<span class="bar-name">{plain(row.name)}</span>}>
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
            const next = () => props.of.sizes[index() + 1]?.from;
            const test = () => [size.from > 0 && `greater ${size.from}`, next() !== undefined && `less ${next()! - 1}`].filter(Boolean).join(' and ') || 'greater 0';
            return (
              <li>
                <span class="column"><i style={{ height: `${(100 * size.packets) / largest()}%` }} /></span>
                <button type="button" class="link num" title={t().filterBy(test())} onClick={() => refine(test())}>{size.from}</button>
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
function protocolTest(name: string): string | undefined {
  const word = name.toLowerCase();
  if (['tcp', 'udp', 'icmp', 'icmp6', 'arp', 'ip', 'ip6', 'igmp', 'sctp', 'ah', 'esp', 'vrrp', 'pim'].includes(word)) return word;
  if (word === 'icmpv6') return 'icmp6';
  const port = { http: 80, dns: 53, tls: 443, https: 443 }[word];
  return port ? `port ${port}` : undefined;
}

function portTest({ protocol, port }: { protocol: string; port: number }): string {
  const word = protocol.toLowerCase();
  return ['tcp', 'udp', 'sctp'].includes(word) ? `${word} port ${port}` : `port ${port}`;
}
