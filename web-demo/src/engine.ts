/** What the page asks of the decoder. The only file that knows the package `mirrorscope`. */
import type { CaptureApi, CaptureOptions, Selection } from '../../wasm/npm/src/capture-types.js';
import { startMock } from './mock.js';

export type {
  CaptureProgress, Damage, ExportKind, FlowSort, Overview, Problem, Row, Selection, SessionOverview, StreamSegment, Timeline,
} from '../../wasm/npm/src/capture-types.js';
export type { Completion, Field, Layer, PacketTree, Session } from '../../wasm/npm/src/types.js';
export type { AwsReport, Suggestion } from '../../wasm/npm/src/aws.js';
export { RowFlag } from '../../wasm/npm/src/capture-types.js';
export type Capture = CaptureApi;
export type OpenOptions = CaptureOptions;

/** A name and octets. */
export interface Source {
  name: string;
  blob: Blob;
}

/** What one side of a flow sent, as flow.schema.json tells it. */
export interface Way {
  packets: number;
  bytes: number;
  payload_bytes: number;
  duplicates: number;
  truncated: number;
  flags?: string;
  retransmissions?: number;
  gap_bytes?: number;
}

interface Mirror {
  endpoint?: string;
  vni?: number;
  source?: string;
  name?: string;
}

/** A flow, as flow.schema.json tells it. */
export interface Flow {
  id: number;
  kind: string;
  mirror?: Mirror;
  also_seen_by?: Mirror[];
  protocol: string;
  client: string;
  client_port?: number;
  server: string;
  server_port?: number;
  service?: string;
  sni?: string;
  http_host?: string;
  dns_name?: string;
  state?: string;
  first: string;
  last: string;
  handshake_rtt_ns?: number;
  response_mean_ns?: number;
  sent: Way;
  received: Way;
}

/** A fault of a filter: where, and what was perhaps meant. */
export interface FilterFault {
  message: string;
  from: number;
  to: number;
  suggestion?: string;
}

export interface Engine {
  open(sources: Source[], options: OpenOptions): Capture;
}

/** Starts the worker; once a page. */
export function start(): Promise<Engine> {
  return startMock();
}

/** What passes a filter, between two times where they are given. */
export async function choose(capture: Capture, expr: string, range: { from: bigint; to: bigint } | undefined, signal: AbortSignal): Promise<Selection> {
  if (!range) return capture.select(expr, { signal });
  if (!expr) return capture.selectTime(range.from, range.to);
  const passing = await capture.select(expr, { signal });
  const chosen = await capture.selectTime(range.from, range.to, passing);
  capture.release(passing);
  return chosen;
}

/** The fault that `error` tells of, if it is a filter's. */
export function filterFault(error: unknown): FilterFault | undefined {
  const fault = error as Partial<FilterFault>;
  return typeof fault?.from === 'number' && typeof fault.to === 'number' ? (fault as FilterFault) : undefined;
}

/** Flows as they are typed here. */
export async function flows(capture: Capture, query: Parameters<Capture['flows']>[0]): Promise<{ total: number; rows: Flow[] }> {
  const { total, rows } = await capture.flows(query);
  return { total, rows: rows as unknown as Flow[] };
}
