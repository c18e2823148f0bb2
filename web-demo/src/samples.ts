/** The two captures that come with the page, read ahead so that trying one asks for nothing. */
import ping from '../../tests/fixtures/mirror/ping-curl-traceroute.pcap?url';
import shell from '../../tests/fixtures/mirror/ssm-tcp443.pcap?url';
import { alsoLater } from './later.js';
import { fail, openCaptures } from './opened.js';

export interface Sample {
  key: 'ping' | 'shell';
  name: string;
  url: string;
}

export const SAMPLES: Sample[] = [
  { key: 'ping', name: 'ping-curl-traceroute.pcap', url: ping },
  { key: 'shell', name: 'ssm-tcp443.pcap', url: shell },
];

const kept = new Map<string, Promise<Blob>>();

for (const sample of SAMPLES) alsoLater(() => blobOf(sample));

export async function openSample(sample: Sample): Promise<void> {
  try {
    await openCaptures([{ name: sample.name, blob: await blobOf(sample) }]);
  } catch (error) {
    fail(error);
  }
}

function blobOf({ url }: Sample): Promise<Blob> {
  const before = kept.get(url);
  if (before) return before;
  const blob = fetch(url).then((answer) => {
    if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
    return answer.blob();
  });
  kept.set(url, blob);
  blob.catch(() => kept.delete(url));
  return blob;
}
