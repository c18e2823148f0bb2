/** The entry for programs that bring the module themselves: `await init(module)`. Nothing is fetched or read. */
export * from './api.js';
