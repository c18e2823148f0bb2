/** What can go wrong. Every error of this package is a `MirrorscopeError` with a `code`. */

/** An error of this package. */
export class MirrorscopeError extends Error {
  /** A word for programs, such as `TRUNCATED`; it stays the same when the message is reworded. */
  readonly code: string;
  /** What to do about it. */
  readonly hint: string | undefined;

  constructor(code: string, message: string, hint?: string) {
    super(message);
    // Written out, because a bundler shortens the names of classes.
    this.name = 'MirrorscopeError';
    this.code = code;
    this.hint = hint;
  }
}

/** What a decoder or capture says after `dispose()`. */
export function disposed(what: string): MirrorscopeError {
  return new MirrorscopeError('DISPOSED', `the ${what} was given back`, 'open another one');
}

/** The decoder was used before it was loaded. */
export class NotInitialisedError extends MirrorscopeError {
  constructor(message: string, hint = 'await init()') {
    super('NOT_INITIALISED', message, hint);
    this.name = 'NotInitialisedError';
  }
}

/** The capture is damaged, cut or none at all. Every packet before the damage was delivered. */
export class CaptureError extends MirrorscopeError {
  /** Packets before the damage; the packet at fault is the next one. */
  readonly packets: number;
  /** Octet of the uncompressed capture at which the damaged part begins. */
  readonly offset: number;

  constructor(fault: { code: string; message: string; hint?: string; packets: number; offset: number }) {
    super(fault.code, fault.message, fault.hint);
    this.name = 'CaptureError';
    this.packets = fault.packets;
    this.offset = fault.offset;
  }
}

/** A filter was not understood. */
export class FilterError extends MirrorscopeError {
  /** Index of the first character at fault. */
  readonly from: number;
  /** Index behind the last character at fault; equal to `from` at the end of the text. */
  readonly to: number;
  /** What to write instead. */
  readonly suggestion: string | undefined;
  /** Message, filter and underline in three lines, for a terminal. */
  readonly rendered: string;

  constructor(fault: { message: string; from: number; to: number; suggestion: string | null; rendered: string }) {
    super('FILTER', fault.message, fault.suggestion ?? undefined);
    this.name = 'FilterError';
    this.from = fault.from;
    this.to = fault.to;
    this.suggestion = fault.suggestion ?? undefined;
    this.rendered = fault.rendered;
  }
}

/** JSON that is not what the AWS CLI prints. */
export class AwsJsonError extends MirrorscopeError {
  /** Counted from 1; 0 if the fault is the whole text's. */
  readonly line: number;
  /** Octets, counted from 1. */
  readonly column: number;

  constructor(fault: { message: string; hint: string; line: number; column: number }) {
    super('AWS_JSON', fault.message, fault.hint);
    this.name = 'AwsJsonError';
    this.line = fault.line;
    this.column = fault.column;
  }
}

/** An error as a message can carry it. */
export function flat(error: unknown): object {
  if (error instanceof MirrorscopeError) return { ...error, name: error.name, message: error.message };
  if (error instanceof Error) return { name: error.name, message: error.message, code: isPanic(error) ? 'PANIC' : 'WORKER' };
  return { name: 'Error', message: String(error), code: 'WORKER' };
}

/** Whether the module itself failed, after which it cannot be used any more. */
export function isPanic(error: unknown): boolean {
  return error instanceof WebAssembly.RuntimeError || (error instanceof Error && /recursive use of an object/.test(error.message));
}

/** The error that `flat` made plain, of its own class again. */
export function revived(plain: object): Error {
  const fault = plain as { name: string; code: string; message: string; hint?: string };
  if (fault.name === 'CaptureError') return new CaptureError(fault as never);
  if (fault.name === 'FilterError') return new FilterError(fault as never);
  if (fault.name === 'AwsJsonError') return new AwsJsonError(fault as never);
  if (fault.name === 'RangeError') return new RangeError(fault.message);
  return new MirrorscopeError(fault.code, fault.message, fault.hint);
}
