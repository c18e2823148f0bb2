// Writes `sw.js`, the service worker with the names of all files of this build: the page works without a network
// after the first visit.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

export function offline(): Plugin {
  return {
    name: 'offline',
    apply: 'build',
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const files = Object.keys(bundle).filter((name) => !name.endsWith('.map')).sort();
        const hash = createHash('sha256');
        for (const name of files) {
          const file = bundle[name];
          if (file) hash.update(name).update(file.type === 'chunk' ? file.code : file.source);
        }
        const source = readFileSync(new URL('./sw.js', import.meta.url), 'utf8')
          .replace("'VERSION'", JSON.stringify(hash.digest('hex').slice(0, 16)))
          .replace("['FILES']", JSON.stringify(['./', ...files.filter((name) => name !== 'index.html')]));
        this.emitFile({ type: 'asset', fileName: 'sw.js', source });
      },
    },
  };
}
