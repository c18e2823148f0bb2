/** The WebAssembly modules of the package: where each comes from, how it is loaded once, and where its memory lies. */
import { NotInitialisedError } from './errors.js';

/** What a module can be made from: a compiled module, its octets, where to fetch it, or the answer to a fetch. */
export type ModuleSource = WebAssembly.Module | BufferSource | URL | string | Response;

/** The files of the package's modules. */
export type ModuleFile = 'mirrorscope.wasm' | 'capture.wasm' | 'reports.wasm';

/** The JavaScript side that a module was generated with. */
export interface Generated {
  default(options: { module_or_path: ModuleSource }): Promise<{ readonly memory: WebAssembly.Memory }>;
  initSync(options: { module: WebAssembly.Module | BufferSource }): { readonly memory: WebAssembly.Memory };
}

/** A module that can be called. Its memory's `buffer` is another one after the memory has grown. */
export interface Loaded<Bindings> {
  readonly bindings: Bindings;
  readonly memory: WebAssembly.Memory;
}

type Source = ModuleSource | Promise<ModuleSource>;

let standard: ((file: ModuleFile) => Source) | undefined;
const memories: WebAssembly.Memory[] = [];

/** The entry says where modules lie that nobody brought. */
export function setStandardSource(source: (file: ModuleFile) => Source): void {
  standard = source;
}

/** Octets of the memory of all modules. It never shrinks; what decoders give back is used again. */
export function memoryBytes(): number {
  return memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
}

/** A module that is loaded when it is first asked for. */
export class WasmModule<Bindings extends Generated> {
  readonly #file: ModuleFile;
  readonly #bindings: () => Bindings | Promise<Bindings>;
  readonly #hint: string;
  #loading: Promise<Loaded<Bindings>> | undefined;
  loaded: Loaded<Bindings> | undefined;

  /** @param hint what to do where nobody knows where the module lies */
  constructor(file: ModuleFile, hint: string, bindings: () => Bindings | Promise<Bindings>) {
    this.#file = file;
    this.#hint = hint;
    this.#bindings = bindings;
  }

  /** Makes the module ready; further calls are free. One that failed can be tried again. */
  load(source?: Source): Promise<Loaded<Bindings>> {
    if (this.loaded) return Promise.resolve(this.loaded);
    this.#loading ??= this.#load(source).catch((error: unknown) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #load(source: Source | undefined): Promise<Loaded<Bindings>> {
    const from = source ?? standard?.(this.#file);
    if (from === undefined) throw new NotInitialisedError(`nobody said where ${this.#file} lies`, this.#hint);
    const [bindings, found] = await Promise.all([this.#bindings(), from]);
    const { memory } = await bindings.default({ module_or_path: found });
    return this.loaded ?? this.#keep(bindings, memory);
  }

  /** Makes the module ready at once; its JavaScript side must be there. */
  loadSync(bindings: Bindings, source: WebAssembly.Module | BufferSource): Loaded<Bindings> {
    return this.loaded ?? this.#keep(bindings, bindings.initSync({ module: source }).memory);
  }

  #keep(bindings: Bindings, memory: WebAssembly.Memory): Loaded<Bindings> {
    memories.push(memory);
    return (this.loaded = { bindings, memory });
  }
}
