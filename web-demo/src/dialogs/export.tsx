/** The export: what, of which packets, streamed to a file. */
import { createSignal, For, Show } from 'solid-js';
import { copyText } from '../copy.js';
import type { Capture, ExportKind } from '../engine.js';
import { bytes, number, plain } from '../format.js';
import { capture, packetCount, sources } from '../opened.js';
import { selection, shownCount } from '../shown.js';
import { t } from '../text/index.js';
import { Dialog } from './dialog.js';
import { exportIsOpen, setExportIsOpen } from './open.js';
import { save } from './save.js';

const ENDINGS: Partial<Record<ExportKind, string>> = { 'inner-pcapng': 'pcapng', pcapng: 'pcapng', csv: 'csv', jsonl: 'jsonl', text: 'txt', tcpdump: 'txt', 'flows-csv': 'csv', 'flows-jsonl': 'jsonl' };
const KINDS = Object.keys(ENDINGS) as ExportKind[];

export function ExportDialog() {
  const [kind, setKind] = createSignal<ExportKind>('inner-pcapng');
  const [isFiltered, setIsFiltered] = createSignal(true);
  const [written, setWritten] = createSignal<number>();
  const [fault, setFault] = createSignal('');
  const [said, setSaid] = createSignal('');
  const [abort, setAbort] = createSignal<AbortController>();
  const name = () => `${(sources()[0]?.name ?? 'live').replace(/\.(pcapng|pcap|cap)?(\.gz|\.zst)?$/i, '')}-${kind()}.${ENDINGS[kind()]}`;
  const start = async (): Promise<void> => {
    const open = capture() as Capture;
    const control = new AbortController();
    setAbort(control);
    setFault('');
    setWritten(0);
    try {
      const stream = open.export(kind(), { selection: isFiltered() ? selection() : undefined });
      await save(stream, name(), setWritten, control.signal);
    } catch (error) {
      if (!control.signal.aborted && (error as Error).name !== 'AbortError') setFault((error as Error).message);
      setWritten(undefined);
    } finally {
      setAbort(undefined);
    }
  };
  const link = async () => setSaid((await copyText(location.href)) ? t().copied : t().copyFailed);
  return (
    <Dialog isOpen={exportIsOpen()} title={t().export} onClose={() => { abort()?.abort(); setExportIsOpen(false); setWritten(undefined); }} class="export">
      <fieldset>
        <legend>{t().exportScope}</legend>
        <label class="check"><input type="radio" name="scope" checked={!isFiltered() || !selection()} onChange={() => setIsFiltered(false)} /> {t().exportAll(number(packetCount()))}</label>
        <label class="check"><input type="radio" name="scope" disabled={!selection()} checked={isFiltered() && Boolean(selection())} onChange={() => setIsFiltered(true)} /> {t().exportFiltered(number(shownCount()))}</label>
      </fieldset>
      <fieldset class="kinds">
        <legend>{t().exportWhat}</legend>
        <For each={KINDS}>
          {(name) => (
            <label class="kind" classList={{ on: kind() === name }}>
              <input type="radio" name="kind" checked={kind() === name} onChange={() => setKind(name)} />
              <span><b>{t().exportKinds[name]?.[0]}</b><br /><span class="dim small">{t().exportKinds[name]?.[1]}</span></span>
            </label>
          )}
        </For>
      </fieldset>
      <Show when={fault()}><p class="bad-text" role="alert">{plain(fault())}</p></Show>
      <div class="row">
        <button type="button" class="primary" disabled={Boolean(abort())} onClick={() => void start()}>{t().save} <code>{plain(name())}</code></button>
        <Show when={abort()}><button type="button" onClick={() => abort()?.abort()}>{t().cancel}</button></Show>
        <span role="status" class="num small"><Show when={written() !== undefined}>{t().written(bytes(written()!))}</Show></span>
      </div>
      <hr />
      <div class="row"><button type="button" onClick={() => void link()}>{t().copyLink}</button><span role="status" class="small">{said()}</span></div>
      <p class="dim small">{t().linkWarning}</p>
    </Dialog>
  );
}
