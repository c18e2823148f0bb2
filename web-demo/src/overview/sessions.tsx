/** Who mirrored: a row a session; inline and other traffic apart. */
import { createSignal, For, Show } from 'solid-js';
import type { Overview, SessionOverview } from '../engine.js';
import { refine } from '../filter/refine.js';
import { bytes, number, percent, plain } from '../format.js';
import { label, labelFor, MAX_LABEL_LEN } from '../labels.js';
import { kindOf, labelOf, sessionTest } from '../session.js';
import { t } from '../text/index.js';

export function Sessions(props: { of: Overview }) {
  const mirrored = () => props.of.sessions.filter(({ kind, packets }) => kind.startsWith('mirrored') && packets > 0).sort((a, b) => b.bytes - a.bytes);
  const apart = () => props.of.sessions.filter(({ kind, packets }) => !kind.startsWith('mirrored') && packets > 0);
  const total = () => props.of.sessions.reduce((sum, session) => sum + session.bytes, 0);
  return (
    <section class="card wide">
      <h2>{t().sessions} <small class="num dim">{number(mirrored().length)}</small></h2>
      <Show when={mirrored().length} fallback={<p class="dim">{t().sessionsNone}</p>}>
        <div class="scroll" tabindex="0" role="group" aria-label={t().sessions}>
          <table class="data">
            <thead>
              <tr>
                <th scope="col">{t().session}</th><th scope="col">{t().source}</th><th scope="col">{t().endpoint}</th>
                <th scope="col" class="numeric">{t().packetsHead}</th><th scope="col" class="numeric">{t().bytes}</th><th scope="col">{t().share}</th>
                <th scope="col" class="numeric">{t().duplicates}</th><th scope="col" class="numeric">{t().truncated}</th><th scope="col" class="numeric">{t().lost}</th><th scope="col" class="numeric">{t().undecodable}</th>
              </tr>
            </thead>
            <tbody><For each={mirrored()}>{(session) => <Row session={session} total={total()} />}</For></tbody>
          </table>
        </div>
      </Show>
      <Show when={apart().length || props.of.undecodable.packets}>
        <h3>{t().apart}</h3>
        <ul class="apart">
          <For each={apart()}>
            {(session) => (
              <li>
                <button type="button" class="link" onClick={() => refine(sessionTest(session))}>{kindOf(session.kind)}</button>
                <Show when={session.endpoint}><code>{session.endpoint}</code></Show>
                <span class="num">{t().packets(session.packets, number(session.packets))}, {bytes(session.bytes)}</span>
                <Show when={session.kind === 'inline'}><span class="dim">{t().inlineWhat}</span></Show>
              </li>
            )}
          </For>
          <Show when={props.of.undecodable.packets}>
            <li><b>{t().undecodable}</b><span class="num">{t().packets(props.of.undecodable.packets, number(props.of.undecodable.packets))}</span><span class="dim">{t().undecodableWhat}</span></li>
          </Show>
        </ul>
      </Show>
    </section>
  );
}

function Row(props: { session: SessionOverview; total: number }) {
  const share = () => (props.total ? props.session.bytes / props.total : 0);
  const test = () => sessionTest(props.session);
  const [isNaming, setIsNaming] = createSignal(false);
  return (
    <tr>
      <th scope="row">
        <Show when={isNaming()} fallback={(
          <>
            <button type="button" class="link strong" title={t().filterBy(test())} onClick={(event) => refine(test(), event.altKey)}>{labelOf(props.session)}</button>
            <button type="button" class="quiet rename" aria-label={t().rename(labelOf(props.session))} title={t().rename(labelOf(props.session))} onClick={() => setIsNaming(true)}>✎</button>
            <Show when={(labelFor(props.session) ?? props.session.name) && props.session.vni !== undefined}><span class="dim"> VNI {props.session.vni}</span></Show>
          </>
        )}>
          <Naming session={props.session} onDone={() => setIsNaming(false)} />
        </Show>
      </th>
      <td class="mono">{plain(props.session.source ?? '')}</td>
      <td class="mono" title={props.session.endpoint}>{shortEndpoint(props.session.endpoint)}</td>
      <td class="num numeric">{number(props.session.packets)}</td>
      <td class="num numeric">{bytes(props.session.bytes)}</td>
      <td><span class="share"><span class="bar"><i style={{ width: `${100 * share()}%` }} /></span><span class="num">{percent(props.session.bytes, props.total)}</span></span></td>
      <Mark count={props.session.duplicates} of={props.session.packets} />
      <Mark count={props.session.truncated} of={props.session.packets} />
      <td class="num numeric" classList={{ quiet: !props.session.gapBytes, warn: Boolean(props.session.gapBytes) }}>{props.session.gapBytes ? bytes(props.session.gapBytes) : '–'}</td>
      <Mark count={props.session.undecodable} of={props.session.packets} />
    </tr>
  );
}

/** A label is typed: Enter keeps it, an empty one takes it away, Escape leaves all as it was. */
function Naming(props: { session: SessionOverview; onDone: () => void }) {
  let isOver = false;
  const end = (text?: string): void => {
    if (isOver) return;
    isOver = true;
    if (text !== undefined) label(props.session, text);
    props.onDone();
  };
  const key = (event: KeyboardEvent & { currentTarget: HTMLInputElement }): void => {
    if (event.isComposing || !['Enter', 'Escape'].includes(event.key)) return;
    event.preventDefault();
    end(event.key === 'Enter' ? event.currentTarget.value : undefined);
  };
  return (
    <input
      class="naming"
      ref={(input) => queueMicrotask(() => { input.focus(); input.select(); })}
      value={labelFor(props.session) ?? props.session.name ?? ''}
      maxLength={MAX_LABEL_LEN}
      aria-label={t().rename(labelOf(props.session))}
      placeholder={`VNI ${props.session.vni ?? ''}`}
      onKeyDown={key}
      onBlur={(event) => end(event.currentTarget.value)}
    />
  );
}

/** A count that should be none. */
function Mark(props: { count?: number; of: number }) {
  return <td class="num numeric" classList={{ quiet: !props.count, warn: Boolean(props.count) }}>{props.count ? `${number(props.count)} (${percent(props.count, props.of)})` : '–'}</td>;
}

/** `vpce-0…6071`: the beginning is the same for all. */
const shortEndpoint = (endpoint = ''): string => (endpoint.length > 14 ? `${endpoint.slice(0, 6)}…${endpoint.slice(-6)}` : endpoint);
