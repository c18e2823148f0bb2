/** What the dropped JSON and the capture say together: hits by rule, and findings. */
import { Show, type Accessor, type JSX } from 'solid-js';
import type { AwsReport } from '../engine.js';
import { plain } from '../format.js';
import { latest } from '../latest.js';
import { awsFiles, capture, phase } from '../opened.js';
import { t } from '../text/index.js';
import { Hits } from './hits.js';

export function Reports() {
  const question = () => {
    const open = capture();
    phase(); // asked again when the capture is whole
    return open && { open, json: awsFiles().map(({ text }) => text) };
  };
  const hits = latest(question, ({ open, json }) => open.explain(json));
  const findings = latest(question, ({ open, json }) => open.lint(json));
  return (
    <>
      <Report title={t().ruleHits} answer={hits.answer()} error={hits.error()}>
        {(answer) => (
          <>
            <Hits of={answer()} />
            <details class="as-printed">
              <summary>{t().asPrinted('mirrorscope aws explain')}</summary>
              <Printed title={t().ruleHits} text={answer().text} />
            </details>
          </>
        )}
      </Report>
      <Report title={t().findings} answer={findings.answer()} error={findings.error()}>
        {(answer) => <Printed title={t().findings} text={answer().text} />}
      </Report>
    </>
  );
}

function Report(props: { title: string; answer: AwsReport | undefined; error: unknown; children: (answer: Accessor<AwsReport>) => JSX.Element }) {
  const fault = () => props.error as { message?: string; hint?: string } | undefined;
  return (
    <section class="card">
      <h2>{props.title}</h2>
      <Show when={!fault()} fallback={<p class="bad-text" role="alert">{plain(fault()?.message ?? String(fault()))} <Show when={fault()?.hint}>{plain(fault()!.hint!)}</Show></p>}>
        <Show when={props.answer} fallback={<p class="dim">{t().working}…</p>}>{(answer) => props.children(answer)}</Show>
      </Show>
    </section>
  );
}

/** The words that the program prints. */
const Printed = (props: { title: string; text: string }) => <pre class="report" tabindex="0" role="group" aria-label={props.title}>{props.text}</pre>;
