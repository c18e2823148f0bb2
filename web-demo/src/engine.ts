/** What the page asks of the decoder. The only file that knows the package `mirrorscope`. */
import { MirrorscopeWorker, type CaptureApi, type CaptureOptions, type FlowQuery, type Selection } from 'mirrorscope/worker';
import { alsoLater } from './later.js';

export { RowFlag } from 'mirrorscope/worker';
export type { CaptureProgress, Damage, ExportKind, FlowSort, Overview, Problem, Row, Selection, SessionOverview, StreamSegment, Timeline } from 'mirrorscope/worker';
export type { AwsReport, Completion, Field, Layer, PacketTree, Session, Suggestion } from 'mirrorscope';
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
  /** Rejects where the text is none of what the AWS CLI prints about traffic mirroring. */
  checkJson(text: string): Promise<void>;
}

/** Starts the worker; once a page. */
export async function start(): Promise<Engine> {
  const worker = await MirrorscopeWorker.start();
  // Opening nothing compiles the module, before the first capture comes.
  worker.open([]).dispose();
  alsoLater(() => warmUp(worker));
  const file = ({ name, blob }: Source) => (blob instanceof File ? blob : new File([blob], name));
  return {
    open: (sources, options) => worker.open(sources.map(file), options),
    async checkJson(text) {
      const nothing = worker.open([], { live: true, maxPackets: 1 });
      await nothing.lint([text]).finally(() => nothing.dispose());
    },
  };
}

/** First octets of gzip and of zstd: enough to have their readers loaded. */
const COMPRESSED = [[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0], [0x28, 0xb5, 0x2f, 0xfd, 0, 0]];

/** Loads what the worker may need: readers of compressed captures, and the module behind reports. */
async function warmUp(worker: MirrorscopeWorker): Promise<void> {
  for (const octets of COMPRESSED) {
    const capture = worker.open(new Blob([new Uint8Array(octets)]));
    await capture.loaded;
    await capture.lint([]).catch(() => undefined);
    capture.dispose();
  }
}

/** What a selection must be in besides passing the filter. */
export interface Bounds {
  time: { from: bigint; to: bigint } | undefined;
  within?: Selection;
  signal: AbortSignal;
}

/** What passes a filter, between two times and in another selection where they are given. */
export function choose(capture: Capture, expr: string, { time, ...bounds }: Bounds): Promise<Selection> {
  return capture.select(expr, { fromNs: time?.from, toNs: time?.to, ...bounds });
}

/** The fault that `error` tells of, if it is a filter's. */
export function filterFault(error: unknown): FilterFault | undefined {
  const fault = error as Partial<FilterFault>;
  if (typeof fault?.from !== 'number' || typeof fault.to !== 'number') return undefined;
  const { message = '', from, to, suggestion: advice } = fault;
  // Of an advice only the word in it can be put in; without one it is only read.
  const suggestion = /^did you mean `([^`]+)`/.exec(advice ?? '')?.[1];
  return { message: advice && !suggestion ? `${message}: ${advice}` : message, from, to, suggestion };
}

/** Flows as they are typed here. */
export async function flows(capture: Capture, query: FlowQuery): Promise<{ total: number; rows: Flow[] }> {
  const { total, rows } = await capture.flows(query);
  return { total, rows: rows as unknown as Flow[] };
}
