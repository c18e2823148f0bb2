/** The types of the package's main entry; `node.ts`, `web.ts` and `workerd.ts` are what runs. */
export * from './api.js';
