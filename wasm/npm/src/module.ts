/** The parts of the decoder: where each comes from, and how it is loaded once, behind those that it needs. */
import { add, imports, wasm } from './bindings.js';
import { MirrorscopeError, NotInitialisedError } from './errors.js';

/** What a part can be made from: a compiled module, its octets, where to fetch it, or the answer to a fetch. */
export type ModuleSource = WebAssembly.Module | BufferSource | URL | string | Response;

/** The files of the parts. */
export type ModuleFile = 'mirrorscope.wasm' | 'decode.wasm' | 'capture.wasm' | 'packet.wasm' | 'reports.wasm';

type Source = ModuleSource | Promise<ModuleSource>;

let standard: ((file: ModuleFile) => Source | undefined) | undefined;

/** The entry says where parts lie that nobody brought. */
export function setStandardSource(source: (file: ModuleFile) => Source | undefined): void {
  standard = source;
}

let brought: Partial<Record<ModuleFile, ModuleSource>> = {};

/** Where parts come from, rather than from where the entry says. */
export function bring(modules: Partial<Record<ModuleFile, ModuleSource>>): void {
  brought = modules;
}

/** Octets of the decoder's memory. It never shrinks; what decoders give back is used again. */
export function memoryBytes(): number {
  return wasm?.memory.buffer.byteLength ?? 0;
}

/** The decoder's memory. Its `buffer` is another one after it has grown. */
export function memory(): WebAssembly.Memory {
  if (!wasm) throw new NotInitialisedError('call `await init()` of mirrorscope first');
  return wasm.memory;
}

/** A part that is loaded when it is first asked for. */
export class Part<Bindings> {
  readonly #file: ModuleFile;
  readonly #call: string;
  readonly #proof: string;
  readonly #before: readonly Part<unknown>[];
  readonly #bindings: () => Bindings | Promise<Bindings>;
  #loading: Promise<Bindings> | undefined;
  loaded: Bindings | undefined;

  /**
   * @param call the beginning of the call that says where the part lies, where nobody knows it
   * @param proof an export by which the module is known
   * @param before the parts that this one needs
   */
  constructor(file: ModuleFile, call: string, proof: string, before: readonly Part<unknown>[], bindings: () => Bindings | Promise<Bindings>) {
    this.#file = file;
    this.#call = call;
    this.#proof = proof;
    this.#before = before;
    this.#bindings = bindings;
  }

  /** Makes the part ready; further calls are free. One that failed can be tried again. */
  load(source?: Source): Promise<Bindings> {
    // Where it is not needed any more, its failure must not end the program.
    if (source instanceof Promise) source.catch(() => {});
    if (this.loaded) return Promise.resolve(this.loaded);
    // Whoever brings the part does not fail with those that had none, or a bad one.
    if (this.#loading && source !== undefined) return this.#loading.catch(() => this.load(source));
    this.#loading ??= this.#load(source).catch((error: unknown) => {
      this.#loading = undefined;
      throw this.#failure(error);
    });
    return this.#loading;
  }

  async #load(source: Source | undefined): Promise<Bindings> {
    const from = source ?? brought[this.#file] ?? standard?.(this.#file);
    if (from === undefined) throw new NotInitialisedError(`nobody said where ${this.#file} lies`, `await ${this.#call}source of mirrorscope/${this.#file})`);
    const [bindings, module] = await Promise.all([this.#bindings(), compiled(from), ...this.#before.map((part) => part.load())]);
    if (!this.loaded) {
      const instance = await WebAssembly.instantiate(this.#checked(module), imports());
      if (!this.loaded) add(instance);
    }
    return (this.loaded = bindings);
  }

  /** Makes the part ready at once; its JavaScript side must be there. */
  loadSync(bindings: Bindings, source: WebAssembly.Module | BufferSource): void {
    if (this.loaded) return;
    try {
      const module = source instanceof WebAssembly.Module ? source : new WebAssembly.Module(source);
      add(new WebAssembly.Instance(this.#checked(module), imports()));
    } catch (error) {
      throw this.#failure(error);
    }
    this.loaded = bindings;
  }

  #checked(module: WebAssembly.Module): WebAssembly.Module {
    if (!WebAssembly.Module.exports(module).some(({ name }) => name === this.#proof)) throw new WebAssembly.LinkError();
    return module;
  }

  #failure(error: unknown): MirrorscopeError {
    if (error instanceof MirrorscopeError) return error;
    if (!(error instanceof WebAssembly.LinkError)) return new MirrorscopeError('MODULE', `${this.#file} could not be loaded: ${(error as Error).message}`);
    return new MirrorscopeError('MODULE', `this is not ${this.#file} of this package`, `give mirrorscope/${this.#file} of the version that is imported`);
  }
}

function unfetched(url: string, why: string): MirrorscopeError {
  return new MirrorscopeError('MODULE', `${url} could not be fetched: ${why}`);
}

async function compiled(from: Source): Promise<WebAssembly.Module> {
  let source = await from;
  if (source instanceof WebAssembly.Module) return source;
  if (typeof source === 'string' || source instanceof URL) {
    const url = String(source);
    source = await fetch(url).catch((why: Error) => { throw unfetched(url, why.message); });
  }
  // No question for `Response`: in Node its mere name costs 30 ms, for what stands behind it is loaded.
  if ('byteLength' in source) return WebAssembly.compile(source);
  const answer = source as Response;
  if (!answer.ok) throw unfetched(answer.url, String(answer.status));
  // A server that does not know the type of such files is no reason to fail.
  const isNamed = answer.headers.get('content-type') === 'application/wasm';
  return isNamed ? WebAssembly.compileStreaming(answer) : WebAssembly.compile(await answer.arrayBuffer());
}
