/** Noise is pointed at, and the smallest set of mirror rules that removes it is given in three forms. */
import { createSignal, For, Show } from 'solid-js';
import { copyText } from '../copy.js';
import type { Capture, Suggestion } from '../engine.js';
import { number, bytes, percent, plain } from '../format.js';
import { awsFiles, capture } from '../opened.js';
import { overview, whole } from '../shown.js';
import { t } from '../text/index.js';
import { filter } from '../view.js';

type Form = 'cli' | 'json' | 'cloudformation' | 'text';
const FORMS: Form[] = ['cli', 'json', 'cloudformation', 'text'];
const TOP = 6;

export function NotThis() {
  const [tests, setTests] = createSignal<string[]>([]);
  const [own, setOwn] = createSignal('');
  const [found, setFound] = createSignal<{ suggestion: Suggestion; packets: number; bytes: number }>();
  const [fault, setFault] = createSignal<{ message: string; hint?: string }>();
  const [isBusy, setIsBusy] = createSignal(false);
  const expression = () => tests().map((test) => (/\b(and|or)\b/.test(test) ? `(${test})` : test)).join(' or ');
  const add = (test: string): void => {
    if (test.trim() && !tests().includes(test.trim())) setTests([...tests(), test.trim()]);
    setFound(undefined);
  };
  const suggest = async (): Promise<void> => {
    const open = capture() as Capture;
    setIsBusy(true);
    setFault(undefined);
    try {
      const [suggestion, noise] = await Promise.all([open.suggest({ drop: expression() }, awsFiles().map(({ text }) => text)), open.select(expression())]);
      const size = await open.overview({ selection: noise });
      setFound({ suggestion, packets: size.packets, bytes: size.bytes });
    } catch (error) {
      setFault(error as Error);
    } finally {
      setIsBusy(false);
    }
  };
  return (
    <section class="card not-this">
      <h2>{t().notThis}</h2>
      <p>{t().notThisIntro}</p>
      <Candidates chosen={tests()} onAdd={add} />
      <form class="row" onSubmit={(event) => { event.preventDefault(); add(own()); setOwn(''); }}>
        <label class="grow"><span class="visually-hidden">{t().filter}</span><input class="mono" value={own()} onInput={(event) => setOwn(event.currentTarget.value)} placeholder={filter() || 'udp port 53'} spellcheck={false} autocomplete="off" /></label>
        <button type="submit">{t().add}</button>
      </form>
      <h3>{t().noise}</h3>
      <Show when={tests().length} fallback={<p class="dim">{t().noiseEmpty}</p>}>
        <ul class="chips"><For each={tests()}>{(test) => <li class="chip"><code>{test}</code><button type="button" class="quiet" aria-label={t().remove(test)} onClick={() => { setTests(tests().filter((other) => other !== test)); setFound(undefined); }}>✕</button></li>}</For></ul>
      </Show>
      <button type="button" class="primary" disabled={tests().length === 0 || isBusy()} onClick={() => void suggest()}>{isBusy() ? `${t().working}…` : t().suggest}</button>
      <Show when={fault()}>{(error) => <p class="bad-text" role="alert">{plain(error().message)} <Show when={error().hint}>{plain(error().hint!)}</Show></p>}</Show>
      <Show when={found()}>
        {(result) => (
          <div class="suggestion">
            <p class="saving" role="status"><b>{t().saves(percent(result().bytes, whole()?.bytes ?? 0), number(result().packets), bytes(result().bytes))}</b> {result().suggestion.exact ? t().exact : t().inexact}</p>
            <Forms of={result().suggestion} />
          </div>
        )}
      </Show>
    </section>
  );
}

/** What makes up most of the traffic, and has a word in the filter language. */
function Candidates(props: { chosen: string[]; onAdd: (test: string) => void }) {
  const rows = () => {
    const shown = overview();
    if (!shown) return [];
    const ports = shown.ports.slice(0, TOP).map((row) => ({ ...row, test: `${row.protocol.toLowerCase()} port ${row.port}` }));
    const hosts = shown.talkers.slice(0, TOP).map((row) => ({ ...row, test: `host ${row.address}` }));
    const protocols = shown.protocols.filter(({ name }) => /^(tcp|udp|icmp)$/i.test(name)).map((row) => ({ ...row, test: row.name.toLowerCase() }));
    return [...ports, ...hosts, ...protocols].filter(({ test }) => !props.chosen.includes(test));
  };
  return (
    <ul class="candidates">
      <For each={rows()}>{(row) => <li><button type="button" onClick={() => props.onAdd(row.test)}><span aria-hidden="true">⊘ </span><code>{row.test}</code> <span class="num dim">{percent(row.bytes, overview()?.bytes ?? 0)}</span></button></li>}</For>
    </ul>
  );
}

function Forms(props: { of: Suggestion }) {
  const [form, setForm] = createSignal<Form>('cli');
  const [said, setSaid] = createSignal('');
  const copy = async () => setSaid((await copyText(props.of[form()])) ? t().copied : t().copyFailed);
  return (
    <>
      <div class="row">
        <div class="segmented" role="group" aria-label={t().suggest}><For each={FORMS}>{(name) => <button type="button" aria-pressed={form() === name} onClick={() => { setForm(name); setSaid(''); }}>{t().formats[name]}</button>}</For></div>
        <button type="button" onClick={() => void copy()}>{t().copy}</button>
        <span role="status" class="small">{said()}</span>
      </div>
      <pre class="report" tabindex="0" role="group" aria-label={t().formats[form()]}>{props.of[form()]}</pre>
    </>
  );
}
