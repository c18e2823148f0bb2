/** Everything that the package offers, whatever its entry. */
export { type AwsJson, type AwsReport, explain, lint, suggest, type Suggestion } from './aws.js';
export { Capture } from './capture-entry.js';
export type * from './capture-types.js';
export { INDEX_BYTES_PER_PACKET, RowFlag } from './capture-types.js';
export { Batch, type ColumnName, type Columns, Flag } from './columns.js';
export { type BatchOptions, decode, Decoder, DecodeStream, print, report, summarise, type Summary } from './decode.js';
export { AwsJsonError, CaptureError, FilterError, MirrorscopeError, NotInitialisedError } from './errors.js';
export { checkFilter, completeFilter } from './filter.js';
export { dissect } from './packet.js';
export { initCapture } from './capture-module.js';
export { memoryBytes, type ModuleSource } from './module.js';
export { initReports } from './reports.js';
export { initPacket } from './packet-module.js';
export { init, initSync, isReady, version } from './runtime.js';
export type { RandomAccess, Source } from './sources.js';
export type * from './types.js';
