/* tslint:disable */
/* eslint-disable */

/**
 * A decoder in the middle of a capture.
 */
export class RawDecoder {
    free(): void;
    [Symbol.dispose](): void;
    /**
     * Says how many octets were written there.
     */
    commit(len: number): void;
    /**
     * Why the capture could not be read further, as JSON.
     */
    damage(): string | undefined;
    /**
     * Says that no more octets will come.
     */
    finish(): void;
    /**
     * A decoder at the beginning of its capture, that counts sessions.
     */
    constructor();
    /**
     * Octets of the uncompressed capture read so far.
     */
    offset(): number;
    /**
     * Packets read so far, whether the filter let them through or not.
     */
    packets(): number;
    /**
     * Judges each packet by the inventory's mirror filters.
     */
    setExplain(inventory: RawInventory): void;
    /**
     * Takes only packets that pass `text`; returns what is wrong with it.
     */
    setFilter(text: string): string | undefined;
    /**
     * Prints packets as `format`; `false` for an unknown one.
     */
    setOutput(format: string, time: number, nano: boolean, local: boolean, colour: boolean, number: boolean, verbose: boolean, hex: number): boolean;
    /**
     * UDP ports of Geneve and VXLAN; the first eight of each count.
     */
    setPorts(geneve: Uint16Array | number[], vxlan: Uint16Array | number[]): void;
    /**
     * Passes over `skip` packets and takes at most `count` of those that the filter lets through.
     */
    setRange(skip: number, count?: number | null): void;
    /**
     * Learns a mirror filter that drops (or else keeps) what `expression` chooses; returns what is wrong with it.
     */
    setSuggest(drop: boolean, expression: string, inventory: RawInventory): string | undefined;
    /**
     * Where to write the next `len` octets of the capture: an address in the module's memory. At most 262,144.
     */
    space(len: number): number;
    /**
     * Decodes packets until something is to be done.
     */
    step(): Status;
    /**
     * What the filters did, as JSON; nothing where it was not asked for.
     */
    takeExplanation(): string | undefined;
    /**
     * What was printed since the last call.
     */
    takeOutput(): Uint8Array;
    /**
     * The suggested filter, as JSON, also as commands for the AWS CLI, as its JSON and as CloudFormation.
     */
    takeSuggestion(): string | undefined;
    /**
     * Packets taken so far.
     */
    taken(): number;
}

/**
 * What the AWS CLI printed, read file by file.
 */
export class RawInventory {
    free(): void;
    [Symbol.dispose](): void;
    /**
     * Reads one file; returns what is wrong with it, as JSON.
     */
    add(text: Uint8Array | number[]): string | undefined;
    /**
     * Findings, as JSON with the text for people in `text`.
     */
    lint(): string;
    /**
     * What people call the source of a mirror session; nothing where it is not known.
     */
    nameOf(endpoint: string | null | undefined, vni: number, source: string): string | undefined;
    /**
     * Nothing yet.
     */
    constructor();
}

/**
 * Why [`RawDecoder::step`] returned.
 */
export enum Status {
    /**
     * More octets are needed.
     */
    Hungry = 0,
    /**
     * Columns or text are full and must be taken.
     */
    Full = 1,
    /**
     * The capture is at its end, or as many packets as were asked for have been taken.
     */
    Done = 2,
    /**
     * The capture is damaged here: see [`RawDecoder::damage`].
     */
    Damaged = 3,
}

/**
 * An address of 16 octets as text; IPv4 lies in `::ffff:0:0/96`. Empty for any other length.
 */
export function formatAddress(octets: Uint8Array | number[]): string;

/**
 * The version of the decoder.
 */
export function version(): string;

export type InitInput = RequestInfo | URL | Response | BufferSource | WebAssembly.Module;

export interface InitOutput {
    readonly memory: WebAssembly.Memory;
    readonly __wbg_rawdecoder_free: (a: number, b: number) => void;
    readonly __wbg_rawinventory_free: (a: number, b: number) => void;
    readonly formatAddress: (a: number, b: number) => [number, number];
    readonly rawdecoder_commit: (a: number, b: number) => void;
    readonly rawdecoder_damage: (a: number) => [number, number];
    readonly rawdecoder_finish: (a: number) => void;
    readonly rawdecoder_new: () => number;
    readonly rawdecoder_offset: (a: number) => number;
    readonly rawdecoder_packets: (a: number) => number;
    readonly rawdecoder_setExplain: (a: number, b: number) => void;
    readonly rawdecoder_setFilter: (a: number, b: number, c: number) => [number, number];
    readonly rawdecoder_setOutput: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number, j: number) => number;
    readonly rawdecoder_setPorts: (a: number, b: number, c: number, d: number, e: number) => void;
    readonly rawdecoder_setRange: (a: number, b: number, c: number, d: number) => void;
    readonly rawdecoder_setSuggest: (a: number, b: number, c: number, d: number, e: number) => [number, number];
    readonly rawdecoder_space: (a: number, b: number) => number;
    readonly rawdecoder_step: (a: number) => number;
    readonly rawdecoder_takeExplanation: (a: number) => [number, number];
    readonly rawdecoder_takeOutput: (a: number) => [number, number];
    readonly rawdecoder_takeSuggestion: (a: number) => [number, number];
    readonly rawdecoder_taken: (a: number) => number;
    readonly rawinventory_add: (a: number, b: number, c: number) => [number, number];
    readonly rawinventory_lint: (a: number) => [number, number];
    readonly rawinventory_nameOf: (a: number, b: number, c: number, d: number, e: number, f: number) => [number, number];
    readonly rawinventory_new: () => number;
    readonly version: () => [number, number];
    readonly __wbindgen_externrefs: WebAssembly.Table;
    readonly __wbindgen_malloc: (a: number, b: number) => number;
    readonly __wbindgen_free: (a: number, b: number, c: number) => void;
    readonly __wbindgen_realloc: (a: number, b: number, c: number, d: number) => number;
    readonly __wbindgen_start: () => void;
}

export type SyncInitInput = BufferSource | WebAssembly.Module;

/**
 * Instantiates the given `module`, which can either be bytes or
 * a precompiled `WebAssembly.Module`.
 *
 * @param {{ module: SyncInitInput }} module - Passing `SyncInitInput` directly is deprecated.
 *
 * @returns {InitOutput}
 */
export function initSync(module: { module: SyncInitInput } | SyncInitInput): InitOutput;

/**
 * If `module_or_path` is {RequestInfo} or {URL}, makes a request and
 * for everything else, calls `WebAssembly.instantiate` directly.
 *
 * @param {{ module_or_path: InitInput | Promise<InitInput> }} module_or_path - Passing `InitInput` directly is deprecated.
 *
 * @returns {Promise<InitOutput>}
 */
export default function __wbg_init (module_or_path: { module_or_path: InitInput | Promise<InitInput> } | InitInput | Promise<InitInput>): Promise<InitOutput>;
