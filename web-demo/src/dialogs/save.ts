/** A stream into a file of the reader's choice, or where the browser does not offer that, into a download. */

type Picker = (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;

/**
 * @param tell octets written so far
 * @throws what the stream or the disk says; `AbortError` where the reader changed their mind
 */
export async function save(stream: ReadableStream<Uint8Array>, name: string, tell: (written: number) => void, signal: AbortSignal): Promise<void> {
  const picker = (globalThis as { showSaveFilePicker?: Picker }).showSaveFilePicker;
  const counted = stream.pipeThrough(counter(tell), { signal });
  if (picker && !navigator.webdriver) {
    const file = await picker.call(globalThis, { suggestedName: name });
    return counted.pipeTo((await file.createWritable()) as unknown as WritableStream<Uint8Array>, { signal });
  }
  const kept = await inStorage(counted, signal);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(kept);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The origin's own file system takes what memory should not; without it the browser's blobs do. */
async function inStorage(stream: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<Blob> {
  const folder = await navigator.storage?.getDirectory?.().catch(() => undefined);
  if (!folder) return new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).blob();
  const file = await folder.getFileHandle('export', { create: true });
  await stream.pipeTo((await file.createWritable()) as unknown as WritableStream<Uint8Array>, { signal });
  return file.getFile();
}

function counter(tell: (written: number) => void): TransformStream<Uint8Array, Uint8Array> {
  let written = 0;
  return new TransformStream({
    transform(piece, out) {
      written += piece.length;
      tell(written);
      out.enqueue(piece);
    },
  });
}
