/** AWS mirror filters, explained, checked and suggested offline, from what the AWS CLI prints. */
import type { RawInventory } from './bindings-reports.js';
import { AwsJsonError, MirrorscopeError } from './errors.js';
import { reports } from './reports.js';
import type { Source } from './sources.js';
import { drain } from './drain.js';
import { Engine, throwFilter } from './engine.js';
import type { PassOptions, SessionId } from './types.js';

/** What `aws ec2 describe-traffic-mirror-*` and `describe-network-interfaces` print, as text, octets or parsed. */
export type AwsJson = string | Uint8Array | object;

/** A report and what the native program prints of it. */
export interface AwsReport {
  /** The members are those of `mirrorscope aws … --json`. */
  report: Record<string, unknown>;
  text: string;
  /** Why the capture could not be read further; the report is about the packets before. */
  damage?: MirrorscopeError;
}

/** A mirror filter of at most ten rules, and what it does with the capture. */
export interface Suggestion extends AwsReport {
  /** Whether it does for every packet what was asked. */
  exact: boolean;
  /** Commands for the AWS CLI. */
  cli: string;
  /** As `describe-traffic-mirror-filters` would print it. */
  json: string;
  cloudformation: string;
}

/** Faults in mirror filters, sessions and targets. */
export function lint(...json: AwsJson[]): Promise<AwsReport> {
  return withInventory(json, (inventory) => inventory.lint() as AwsReport);
}

/** Which rule of which mirror filter the packets of a capture match. */
export async function explain(source: Source, json: AwsJson | AwsJson[], options: PassOptions = {}): Promise<AwsReport> {
  const { setExplain } = await reports();
  const engine = new Engine(options);
  try {
    await withInventory(list(json), (inventory) => setExplain(engine.raw, inventory));
    return withDamage(await drain(engine, source, options), engine.raw.takeReport() as AwsReport);
  } finally {
    engine.free();
  }
}

/** The smallest mirror filter that drops or keeps what an expression chooses. */
export async function suggest(
  source: Source,
  goal: { drop: string } | { keep: string },
  json: AwsJson | AwsJson[] = [],
  options: PassOptions = {},
): Promise<Suggestion> {
  const { setSuggest } = await reports();
  const engine = new Engine(options);
  try {
    const [drops, expression] = 'drop' in goal ? [true, goal.drop] : [false, goal.keep];
    const fault = await withInventory(list(json), (inventory) => setSuggest(engine.raw, drops, expression, inventory));
    throwFilter(fault);
    return withDamage(await drain(engine, source, options), engine.raw.takeReport() as Suggestion);
  } finally {
    engine.free();
  }
}

/** What people call the sources of these sessions, by what the AWS CLI printed. */
export async function namesOf(sessions: readonly SessionId[], json: AwsJson[]): Promise<(string | undefined)[]> {
  return withInventory(json, (inventory) =>
    sessions.map(({ endpoint, vni, source }) =>
      vni === undefined || source === undefined ? undefined : inventory.nameOf(endpoint, vni, source),
    ),
  );
}

function withDamage<Report extends AwsReport>(damage: MirrorscopeError | undefined, report: Report): Report {
  return damage ? { ...report, damage } : report;
}

function list(json: AwsJson | AwsJson[]): AwsJson[] {
  return Array.isArray(json) ? (json as AwsJson[]) : [json];
}

async function withInventory<T>(files: AwsJson[], use: (inventory: RawInventory) => T): Promise<T> {
  const inventory = new (await reports()).RawInventory();
  try {
    for (const file of files) {
      const fault = inventory.add(octets(file));
      if (fault !== undefined) throw new AwsJsonError(JSON.parse(fault) as ConstructorParameters<typeof AwsJsonError>[0]);
    }
    return use(inventory);
  } finally {
    inventory.free();
  }
}

function octets(file: AwsJson): Uint8Array {
  if (file instanceof Uint8Array) return file;
  const text = typeof file === 'string' ? file : JSON.stringify(file);
  if (text === undefined) throw new MirrorscopeError('AWS_JSON', 'this is no JSON');
  return new TextEncoder().encode(text);
}
