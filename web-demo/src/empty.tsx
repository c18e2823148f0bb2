/** Where nothing is open: what the page is for, how to begin, and what a mirrored packet is made of. */
import { createSignal, For, onMount, Show } from 'solid-js';
import { FailureNotice } from './failure.js';
import { bytes, plain } from './format.js';
import { parts } from './fingerprint.js';
import { readAhead } from './later.js';
import { agentBase, startLive } from './live/live.js';
import { awsFiles, decoder, fail, isFresh, openFiles } from './opened.js';
import { openSample, SAMPLES } from './samples.js';
import { copyText } from './copy.js';
import { t } from './text/index.js';
import { madeFor } from './view.js';

const COMMAND = 'tcpdump -i any -s 0 -w mirror.pcap udp port 6081';
/** Which tunnel a row of the picture belongs to. */
const ZONES = ['outer', 'outer', 'outer', 'mirror', 'mirror', 'mirror', 'inner'] as const;

export function Empty() {
  let chooser!: HTMLInputElement;
  onMount(() => {
    decoder().then(readAhead, fail);
  });
  return (
    <main id="main" tabindex="-1" class="empty">
      <section class="invitation">
        <h1>{t().tagline}</h1>
        <FailureNotice />
        <Show when={awsFiles().length}><p class="notice" role="status">{t().keptForLater(awsFiles().map(({ name }) => plain(name)).join(', '))}</p></Show>
        <Show when={isFresh() && parts(madeFor())}>{(file) => <p class="notice">{t().fingerprint(file().name, bytes(file().size))}</p>}</Show>
        <div class="drop" onClick={(event) => event.target === event.currentTarget && chooser.click()}>
          <p class="drop-title">{t().drop}</p>
          <div class="row">
            <button type="button" class="primary" onClick={() => chooser.click()}>{t().chooseFile}</button>
            <span class="dim">{t().orPaste}</span>
          </div>
          <input ref={chooser} type="file" multiple hidden onChange={(event) => void openFiles([...(event.currentTarget.files ?? [])])} />
          <p class="dim small">{t().dropWhat}</p>
        </div>
        <Show when={agentBase()}>
          <button type="button" class="primary wide" onClick={() => void startLive()}>{t().liveStart}</button>
        </Show>
        <div class="samples">
          <h2>{t().sample}</h2>
          <For each={SAMPLES}>
            {(sample) => (
              <button type="button" class="sample" onClick={() => void openSample(sample)}>
                <span>{t().samples[sample.key]}</span>
                <code>{sample.name}</code>
              </button>
            )}
          </For>
        </div>
        <div class="capture-how">
          <h2>{t().howToCapture}</h2>
          <Command text={COMMAND} />
        </div>
        <p class="local"><b>{t().nothingUploaded}</b> {t().provable}</p>
      </section>
      <Layers />
    </main>
  );
}

/** A command to be copied. */
export function Command(props: { text: string }) {
  const [said, setSaid] = createSignal('');
  const copy = async () => setSaid((await copyText(props.text)) ? t().copied : t().copyFailed);
  return (
    <div class="command">
      <code>{props.text}</code>
      <button type="button" class="quiet" onClick={() => void copy()}>{t().copy}</button>
      <span role="status" class="small">{said()}</span>
    </div>
  );
}

function Layers() {
  return (
    <section class="layers-picture" aria-labelledby="layers-title">
      <h2 id="layers-title">{t().sevenLayers}</h2>
      <ol>
        <For each={t().layerRows}>
          {([name, what], index) => (
            <li class={`zone-${ZONES[index()]}`} data-depth={index()}>
              <span class="tag">{t()[ZONES[index()] ?? 'inner']}</span>
              <b>{name}</b>
              <span>{what}</span>
            </li>
          )}
        </For>
      </ol>
    </section>
  );
}
