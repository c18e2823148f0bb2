// How the page is built: static files that work from any folder of any server.
import { defineConfig, type Plugin } from 'vite';
import solid from 'vite-plugin-solid';
import { offline } from './build/offline.js';

/** Vite's development server needs scripts and styles in the document, which the page's own policy forbids. */
function policyForDevelopment(): Plugin {
  return {
    name: 'policy-for-development',
    apply: 'serve',
    transformIndexHtml: (html) => html.replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, ''),
  };
}

export default defineConfig({
  base: './',
  plugins: [solid(), policyForDevelopment(), offline()],
  assetsInclude: ['**/*.pcap'],
  worker: { format: 'es' },
  // The package finds its worker and its module beside itself.
  optimizeDeps: { exclude: ['mirrorscope'] },
  server: { fs: { allow: ['..'] } },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
