/** The mirror filter's workshop: what each rule matches, what is wrong with the rules, and rules that remove noise. */
import { For, Show } from 'solid-js';
import { Command } from '../empty.js';
import { awsFiles, openFiles, setAwsFiles } from '../opened.js';
import { plain } from '../format.js';
import { t } from '../text/index.js';
import { NotThis } from './not-this.js';
import { Reports } from './reports.js';

export function WorkshopPanel() {
  let chooser!: HTMLInputElement;
  return (
    <div class="workshop">
      <h1 class="visually-hidden">{t().tabs.workshop}</h1>
      <p class="lead">{t().workshopIntro}</p>
      <section class="card">
        <h2>describe-traffic-mirror-*.json</h2>
        <Show when={awsFiles().length}>
          <ul class="files">
            <For each={awsFiles()}>{(file) => <li><code>{plain(file.name)}</code> <button type="button" class="quiet" aria-label={t().remove(plain(file.name))} onClick={() => setAwsFiles((before) => before.filter((other) => other !== file))}>✕</button></li>}</For>
          </ul>
        </Show>
        <button type="button" onClick={() => chooser.click()}>{t().awsDrop}</button>
        <input ref={chooser} type="file" multiple hidden accept=".json,application/json" onChange={(event) => { void openFiles([...(event.currentTarget.files ?? [])]); event.currentTarget.value = ''; }} />
        <Show when={!awsFiles().length}><p class="dim">{t().needJson}</p><Command text={t().awsHow} /></Show>
      </section>
      <Show when={awsFiles().length}><Reports /></Show>
      <NotThis />
    </div>
  );
}
