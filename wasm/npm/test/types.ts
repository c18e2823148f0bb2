/** What the compiler must accept of a program that uses the package, and what it must refuse. Not run. */
import {
  Batch, Capture, CaptureError, checkFilter, decode, Decoder, DecodeStream, dissect, explain, FilterError, Flag, init, lint,
  MirrorscopeError, print, summarise, type Field, type Flow, type PacketTree, type Source, type Suggestion,
} from 'mirrorscope';
import { init as initSlim, initSync } from 'mirrorscope/slim';
import { MirrorscopeWorker, RowFlag, type WorkerCapture } from 'mirrorscope/worker';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(..._: Equal<A, B> extends true ? [] : ['different types']): void {}

declare const response: Response;
declare const blob: Blob;

export async function program(): Promise<void> {
  await init();
  await initSlim(new URL('https://example.com/mirrorscope.wasm'), '/decode.wasm');
  initSync(new Uint8Array(), new Uint8Array());
  const sources: Source[] = [response, blob, new ArrayBuffer(1), new Uint8Array(1), [new Uint8Array(1)], { size: 1, read: () => new Uint8Array(1) }];
  for await (const batch of decode(sources[0]!, { filter: 'tcp', batchLength: 10, views: true })) {
    same<typeof batch, Batch>();
    same<typeof batch.timestampNs, BigInt64Array>();
    same<typeof batch.vni, Uint32Array>();
    const mirrored: boolean = ((batch.flags[0] ?? 0) & Flag.mirrored) !== 0;
    console.log(mirrored, batch.srcAddress(0).length);
  }
  const { flows, damage } = await summarise(blob, { flows: { top: 10, sort: 'bytes' } });
  same<typeof flows, Flow[] | undefined>();
  same<typeof damage, CaptureError | MirrorscopeError | undefined>();
  const tree = await dissect(new Uint8Array(14));
  same<typeof tree, PacketTree>();
  same<Exclude<Field['value'], undefined>, string | number | boolean>();
  const fault = checkFilter('prot 80');
  if (fault) console.log(fault.from, fault.to, fault.suggestion?.length);
  const stream: ReadableStream<Batch> = blob.stream().pipeThrough(new DecodeStream());
  const text: ReadableStream<Uint8Array> = print(blob, { format: 'tcpdump' });
  console.log(stream, text, (await lint('{}')).text, (await explain(blob, ['{}'])).report);
  using decoder = new Decoder({ onBatch: (batch) => console.log(batch.length) });
  decoder.push(new Uint8Array(1));
  using capture = await Capture.open([blob, blob]);
  const selection = await capture.select('tcp', { fromNs: 0n });
  const [row] = await capture.rows({ selection, from: 0, count: 1 });
  console.log(row && row.flags & RowFlag.truncated, row?.timestampNs);
  const worker = await MirrorscopeWorker.start();
  const opened: WorkerCapture = worker.open(blob);
  const suggestion: Suggestion = await opened.suggest({ drop: 'port 443' });
  console.log(suggestion.cli);
}

export function refused(): void {
  // @ts-expect-error a path is no source: read the file
  decode('capture.pcap');
  // @ts-expect-error no such format
  print(blob, { format: 'xml' });
  // @ts-expect-error options are named
  new Decoder({ onbatch: () => {} });
  // @ts-expect-error flows are sorted by known keys
  void summarise(blob, { flows: { sort: 'colour' } });
}

export function errors(error: unknown): string {
  if (error instanceof FilterError) return error.rendered;
  if (error instanceof CaptureError) return `${error.packets} ${error.offset}`;
  return error instanceof MirrorscopeError ? `${error.code} ${error.hint ?? ''}` : '';
}
