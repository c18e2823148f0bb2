/* @ts-self-types="./bindings-reports.d.ts" */

/**
 * A decoder in the middle of a capture.
 */
export class RawDecoder {
    __destroy_into_raw() {
        const ptr = this.__wbg_ptr;
        this.__wbg_ptr = 0;
        RawDecoderFinalization.unregister(this);
        return ptr;
    }
    free() {
        const ptr = this.__destroy_into_raw();
        wasm.__wbg_rawdecoder_free(ptr, 0);
    }
    /**
     * Says how many octets were written there.
     * @param {number} len
     */
    commit(len) {
        wasm.rawdecoder_commit(this.__wbg_ptr, len);
    }
    /**
     * Why the capture could not be read further, as JSON.
     * @returns {string | undefined}
     */
    damage() {
        const ret = wasm.rawdecoder_damage(this.__wbg_ptr);
        let v1;
        if (ret[0] !== 0) {
            v1 = getStringFromWasm0(ret[0], ret[1]);
            wasm.__wbindgen_free(ret[0], ret[1] * 1, 1);
        }
        return v1;
    }
    /**
     * Says that no more octets will come.
     */
    finish() {
        wasm.rawdecoder_finish(this.__wbg_ptr);
    }
    /**
     * A decoder at the beginning of its capture, that counts sessions.
     */
    constructor() {
        const ret = wasm.rawdecoder_new();
        this.__wbg_ptr = ret;
        RawDecoderFinalization.register(this, this.__wbg_ptr, this);
        return this;
    }
    /**
     * Octets of the uncompressed capture read so far.
     * @returns {number}
     */
    offset() {
        const ret = wasm.rawdecoder_offset(this.__wbg_ptr);
        return ret;
    }
    /**
     * Packets read so far, whether the filter let them through or not.
     * @returns {number}
     */
    packets() {
        const ret = wasm.rawdecoder_packets(this.__wbg_ptr);
        return ret;
    }
    /**
     * Judges each packet by the inventory's mirror filters.
     * @param {RawInventory} inventory
     */
    setExplain(inventory) {
        _assertClass(inventory, RawInventory);
        wasm.rawdecoder_setExplain(this.__wbg_ptr, inventory.__wbg_ptr);
    }
    /**
     * Takes only packets that pass `text`; returns what is wrong with it.
     * @param {string} text
     * @returns {string | undefined}
     */
    setFilter(text) {
        const ptr0 = passStringToWasm0(text, wasm.__wbindgen_malloc, wasm.__wbindgen_realloc);
        const len0 = WASM_VECTOR_LEN;
        const ret = wasm.rawdecoder_setFilter(this.__wbg_ptr, ptr0, len0);
        let v2;
        if (ret[0] !== 0) {
            v2 = getStringFromWasm0(ret[0], ret[1]);
            wasm.__wbindgen_free(ret[0], ret[1] * 1, 1);
        }
        return v2;
    }
    /**
     * Prints packets as `format`; `false` for an unknown one.
     * @param {string} format
     * @param {number} time
     * @param {boolean} nano
     * @param {boolean} local
     * @param {boolean} colour
     * @param {boolean} number
     * @param {boolean} verbose
     * @param {number} hex
     * @returns {boolean}
     */
    setOutput(format, time, nano, local, colour, number, verbose, hex) {
        const val2 = +time;
        const val3 = +nano;
        const val4 = +local;
        const val5 = +colour;
        const val6 = +number;
        const val7 = +verbose;
        const val8 = +hex;
        const ptr0 = passStringToWasm0(format, wasm.__wbindgen_malloc, wasm.__wbindgen_realloc);
        const len0 = WASM_VECTOR_LEN;
        const ret = wasm.rawdecoder_setOutput(this.__wbg_ptr, ptr0, len0, val2, val3, val4, val5, val6, val7, val8);
        return ret !== 0;
    }
    /**
     * UDP ports of Geneve and VXLAN; the first eight of each count.
     * @param {Uint16Array | number[]} geneve
     * @param {Uint16Array | number[]} vxlan
     */
    setPorts(geneve, vxlan) {
        let ptr0, len0, ptr1, len1;
        try {
            ptr0 = passArray16ToWasm0(geneve, wasm.__wbindgen_malloc);
            len0 = WASM_VECTOR_LEN;
            ptr1 = passArray16ToWasm0(vxlan, wasm.__wbindgen_malloc);
            len1 = WASM_VECTOR_LEN;
        } catch (e) {
            if (ptr1) { wasm.__wbindgen_free(ptr1, len1 * 2, 2); }
            if (ptr0) { wasm.__wbindgen_free(ptr0, len0 * 2, 2); }
            throw e;
        }
        wasm.rawdecoder_setPorts(this.__wbg_ptr, ptr0, len0, ptr1, len1);
    }
    /**
     * Passes over `skip` packets and takes at most `count` of those that the filter lets through.
     * @param {number} skip
     * @param {number | null} [count]
     */
    setRange(skip, count) {
        wasm.rawdecoder_setRange(this.__wbg_ptr, skip, !isLikeNone(count), isLikeNone(count) ? 0 : count);
    }
    /**
     * Learns a mirror filter that drops (or else keeps) what `expression` chooses; returns what is wrong with it.
     * @param {boolean} drop
     * @param {string} expression
     * @param {RawInventory} inventory
     * @returns {string | undefined}
     */
    setSuggest(drop, expression, inventory) {
        _assertClass(inventory, RawInventory);
        const val2 = +drop;
        const ptr0 = passStringToWasm0(expression, wasm.__wbindgen_malloc, wasm.__wbindgen_realloc);
        const len0 = WASM_VECTOR_LEN;
        const ret = wasm.rawdecoder_setSuggest(this.__wbg_ptr, val2, ptr0, len0, inventory.__wbg_ptr);
        let v3;
        if (ret[0] !== 0) {
            v3 = getStringFromWasm0(ret[0], ret[1]);
            wasm.__wbindgen_free(ret[0], ret[1] * 1, 1);
        }
        return v3;
    }
    /**
     * Where to write the next `len` octets of the capture: an address in the module's memory. At most 262,144.
     * @param {number} len
     * @returns {number}
     */
    space(len) {
        const ret = wasm.rawdecoder_space(this.__wbg_ptr, len);
        return ret >>> 0;
    }
    /**
     * Decodes packets until something is to be done.
     * @returns {Status}
     */
    step() {
        const ret = wasm.rawdecoder_step(this.__wbg_ptr);
        return ret;
    }
    /**
     * What the filters did, as JSON; nothing where it was not asked for.
     * @returns {string | undefined}
     */
    takeExplanation() {
        const ret = wasm.rawdecoder_takeExplanation(this.__wbg_ptr);
        let v1;
        if (ret[0] !== 0) {
            v1 = getStringFromWasm0(ret[0], ret[1]);
            wasm.__wbindgen_free(ret[0], ret[1] * 1, 1);
        }
        return v1;
    }
    /**
     * What was printed since the last call.
     * @returns {Uint8Array}
     */
    takeOutput() {
        const ret = wasm.rawdecoder_takeOutput(this.__wbg_ptr);
        var v1 = getArrayU8FromWasm0(ret[0], ret[1]).slice();
        wasm.__wbindgen_free(ret[0], ret[1] * 1, 1);
        return v1;
    }
    /**
     * The suggested filter, as JSON, also as commands for the AWS CLI, as its JSON and as CloudFormation.
     * @returns {string | undefined}
     */
    takeSuggestion() {
        const ret = wasm.rawdecoder_takeSuggestion(this.__wbg_ptr);
        let v1;
        if (ret[0] !== 0) {
            v1 = getStringFromWasm0(ret[0], ret[1]);
            wasm.__wbindgen_free(ret[0], ret[1] * 1, 1);
        }
        return v1;
    }
    /**
     * Packets taken so far.
     * @returns {number}
     */
    taken() {
        const ret = wasm.rawdecoder_taken(this.__wbg_ptr);
        return ret;
    }
}
if (Symbol.dispose) RawDecoder.prototype[Symbol.dispose] = RawDecoder.prototype.free;

/**
 * What the AWS CLI printed, read file by file.
 */
export class RawInventory {
    __destroy_into_raw() {
        const ptr = this.__wbg_ptr;
        this.__wbg_ptr = 0;
        RawInventoryFinalization.unregister(this);
        return ptr;
    }
    free() {
        const ptr = this.__destroy_into_raw();
        wasm.__wbg_rawinventory_free(ptr, 0);
    }
    /**
     * Reads one file; returns what is wrong with it, as JSON.
     * @param {Uint8Array | number[]} text
     * @returns {string | undefined}
     */
    add(text) {
        const ptr0 = passArray8ToWasm0(text, wasm.__wbindgen_malloc);
        const len0 = WASM_VECTOR_LEN;
        const ret = wasm.rawinventory_add(this.__wbg_ptr, ptr0, len0);
        let v2;
        if (ret[0] !== 0) {
            v2 = getStringFromWasm0(ret[0], ret[1]);
            wasm.__wbindgen_free(ret[0], ret[1] * 1, 1);
        }
        return v2;
    }
    /**
     * Findings, as JSON with the text for people in `text`.
     * @returns {string}
     */
    lint() {
        let deferred1_0;
        let deferred1_1;
        try {
            const ret = wasm.rawinventory_lint(this.__wbg_ptr);
            deferred1_0 = ret[0];
            deferred1_1 = ret[1];
            return getStringFromWasm0(ret[0], ret[1]);
        } finally {
            wasm.__wbindgen_free(deferred1_0, deferred1_1, 1);
        }
    }
    /**
     * What people call the source of a mirror session; nothing where it is not known.
     * @param {string | null | undefined} endpoint
     * @param {number} vni
     * @param {string} source
     * @returns {string | undefined}
     */
    nameOf(endpoint, vni, source) {
        const val3 = +vni;
        let ptr0, len0, ptr1, len1;
        try {
            ptr0 = isLikeNone(endpoint) ? 0 : passStringToWasm0(endpoint, wasm.__wbindgen_malloc, wasm.__wbindgen_realloc);
            len0 = WASM_VECTOR_LEN;
            ptr1 = passStringToWasm0(source, wasm.__wbindgen_malloc, wasm.__wbindgen_realloc);
            len1 = WASM_VECTOR_LEN;
        } catch (e) {
            if (ptr1) { wasm.__wbindgen_free(ptr1, len1 * 1, 1); }
            if (ptr0) { wasm.__wbindgen_free(ptr0, len0 * 1, 1); }
            throw e;
        }
        const ret = wasm.rawinventory_nameOf(this.__wbg_ptr, ptr0, len0, val3, ptr1, len1);
        let v4;
        if (ret[0] !== 0) {
            v4 = getStringFromWasm0(ret[0], ret[1]);
            wasm.__wbindgen_free(ret[0], ret[1] * 1, 1);
        }
        return v4;
    }
    /**
     * Nothing yet.
     */
    constructor() {
        const ret = wasm.rawinventory_new();
        this.__wbg_ptr = ret;
        RawInventoryFinalization.register(this, this.__wbg_ptr, this);
        return this;
    }
}
if (Symbol.dispose) RawInventory.prototype[Symbol.dispose] = RawInventory.prototype.free;

/**
 * Why [`RawDecoder::step`] returned.
 * @enum {0 | 1 | 2 | 3}
 */
export const Status = Object.freeze({
    /**
     * More octets are needed.
     */
    Hungry: 0, "0": "Hungry",
    /**
     * Columns or text are full and must be taken.
     */
    Full: 1, "1": "Full",
    /**
     * The capture is at its end, or as many packets as were asked for have been taken.
     */
    Done: 2, "2": "Done",
    /**
     * The capture is damaged here: see [`RawDecoder::damage`].
     */
    Damaged: 3, "3": "Damaged",
});

/**
 * An address of 16 octets as text; IPv4 lies in `::ffff:0:0/96`. Empty for any other length.
 * @param {Uint8Array | number[]} octets
 * @returns {string}
 */
export function formatAddress(octets) {
    let deferred2_0;
    let deferred2_1;
    try {
        const ptr0 = passArray8ToWasm0(octets, wasm.__wbindgen_malloc);
        const len0 = WASM_VECTOR_LEN;
        const ret = wasm.formatAddress(ptr0, len0);
        deferred2_0 = ret[0];
        deferred2_1 = ret[1];
        return getStringFromWasm0(ret[0], ret[1]);
    } finally {
        wasm.__wbindgen_free(deferred2_0, deferred2_1, 1);
    }
}

/**
 * The version of the decoder.
 * @returns {string}
 */
export function version() {
    let deferred1_0;
    let deferred1_1;
    try {
        const ret = wasm.version();
        deferred1_0 = ret[0];
        deferred1_1 = ret[1];
        return getStringFromWasm0(ret[0], ret[1]);
    } finally {
        wasm.__wbindgen_free(deferred1_0, deferred1_1, 1);
    }
}
function __wbg_get_imports() {
    const import0 = {
        __proto__: null,
        __wbg___wbindgen_throw_4c88d8bf264fd984: function(arg0, arg1) {
            throw new Error(getStringFromWasm0(arg0, arg1));
        },
        __wbg_getTimezoneOffset_87127d92c2c117e9: function(arg0) {
            const ret = arg0.getTimezoneOffset();
            return ret;
        },
        __wbg_new_3e95cd7386bb9a6c: function(arg0) {
            const ret = new Date(arg0);
            return ret;
        },
        __wbindgen_generic_0000000000000001: function(arg0) {
            // Cast intrinsic for `F64 -> Externref`.
            const ret = arg0;
            return ret;
        },
        __wbindgen_init_externref_table: function() {
            const table = wasm.__wbindgen_externrefs;
            table.set(0, undefined);
            table.set(1024, undefined);
            table.set(1025, null);
            table.set(1026, true);
            table.set(1027, false);
        },
    };
    return {
        __proto__: null,
        "./bindings-reports_bg.js": import0,
    };
}

const RawDecoderFinalization = (typeof FinalizationRegistry === 'undefined')
    ? { register: () => {}, unregister: () => {} }
    : new FinalizationRegistry(ptr => wasm.__wbg_rawdecoder_free(ptr, 1));
const RawInventoryFinalization = (typeof FinalizationRegistry === 'undefined')
    ? { register: () => {}, unregister: () => {} }
    : new FinalizationRegistry(ptr => wasm.__wbg_rawinventory_free(ptr, 1));

function _assertClass(instance, klass) {
    if (!(instance instanceof klass)) {
        throw new Error(`expected instance of ${klass.name}`);
    }
}

function getArrayU8FromWasm0(ptr, len) {
    ptr = ptr >>> 0;
    return getUint8ArrayMemory0().subarray(ptr / 1, ptr / 1 + len);
}

function getStringFromWasm0(ptr, len) {
    ptr = ptr >>> 0;
    return decodeText(getUint8ArrayMemory0().subarray(ptr, ptr + len));
}

let cachedUint16ArrayMemory0 = null;
function getUint16ArrayMemory0() {
    if (cachedUint16ArrayMemory0 === null || cachedUint16ArrayMemory0.byteLength === 0) {
        cachedUint16ArrayMemory0 = new Uint16Array(wasm.memory.buffer);
    }
    return cachedUint16ArrayMemory0;
}

let cachedUint8ArrayMemory0 = null;
function getUint8ArrayMemory0() {
    if (cachedUint8ArrayMemory0 === null || cachedUint8ArrayMemory0.byteLength === 0) {
        cachedUint8ArrayMemory0 = new Uint8Array(wasm.memory.buffer);
    }
    return cachedUint8ArrayMemory0;
}

function isLikeNone(x) {
    return x === undefined || x === null;
}

function passArray16ToWasm0(arg, malloc) {
    const ptr = malloc(arg.length * 2, 2) >>> 0;
    getUint16ArrayMemory0().set(arg, ptr / 2);
    WASM_VECTOR_LEN = arg.length;
    return ptr;
}

function passArray8ToWasm0(arg, malloc) {
    const ptr = malloc(arg.length * 1, 1) >>> 0;
    getUint8ArrayMemory0().set(arg, ptr / 1);
    WASM_VECTOR_LEN = arg.length;
    return ptr;
}

function passStringToWasm0(arg, malloc, realloc) {
    if (realloc === undefined) {
        const buf = cachedTextEncoder.encode(arg);
        const ptr = malloc(buf.length, 1) >>> 0;
        getUint8ArrayMemory0().subarray(ptr, ptr + buf.length).set(buf);
        WASM_VECTOR_LEN = buf.length;
        return ptr;
    }

    let len = arg.length;
    let ptr = malloc(len, 1) >>> 0;

    const mem = getUint8ArrayMemory0();

    let offset = 0;

    for (; offset < len; offset++) {
        const code = arg.charCodeAt(offset);
        if (code > 0x7F) break;
        mem[ptr + offset] = code;
    }
    if (offset !== len) {
        if (offset !== 0) {
            arg = arg.slice(offset);
        }
        ptr = realloc(ptr, len, len = offset + arg.length * 3, 1) >>> 0;
        const view = getUint8ArrayMemory0().subarray(ptr + offset, ptr + len);
        const ret = cachedTextEncoder.encodeInto(arg, view);

        offset += ret.written;
        ptr = realloc(ptr, len, offset, 1) >>> 0;
    }

    WASM_VECTOR_LEN = offset;
    return ptr;
}

let cachedTextDecoder = new TextDecoder('utf-8', { ignoreBOM: true });
cachedTextDecoder.decode();
const MAX_SAFARI_DECODE_BYTES = 2146435072;
let numBytesDecoded = 0;
function decodeText(bytes) {
    numBytesDecoded += bytes.length;
    if (numBytesDecoded >= MAX_SAFARI_DECODE_BYTES) {
        cachedTextDecoder = new TextDecoder('utf-8', { ignoreBOM: true });
        cachedTextDecoder.decode();
        numBytesDecoded = bytes.length;
    }
    return cachedTextDecoder.decode(bytes);
}

const cachedTextEncoder = new TextEncoder();

if (!('encodeInto' in cachedTextEncoder)) {
    cachedTextEncoder.encodeInto = function (arg, view) {
        const buf = cachedTextEncoder.encode(arg);
        view.set(buf);
        return {
            read: arg.length,
            written: buf.length
        };
    };
}

let WASM_VECTOR_LEN = 0;

let wasmModule, wasmInstance, wasm;
function __wbg_finalize_init(instance, module) {
    wasmInstance = instance;
    wasm = instance.exports;
    wasmModule = module;
    cachedUint16ArrayMemory0 = null;
    cachedUint8ArrayMemory0 = null;
    wasm.__wbindgen_start();
    return wasm;
}

async function __wbg_load(module, imports) {
    if (typeof Response === 'function' && module instanceof Response) {
        if (!module.ok) {
            throw new Error(`failed to fetch Wasm: ${module.status} ${module.statusText} fetching '${module.url}'`);
        }

        if (typeof WebAssembly.instantiateStreaming === 'function') {
            try {
                return await WebAssembly.instantiateStreaming(module, imports);
            } catch (e) {
                const validResponse = expectedResponseType(module.type);

                if (validResponse && module.headers.get('Content-Type') !== 'application/wasm') {
                    console.warn("`WebAssembly.instantiateStreaming` failed because your server does not serve Wasm with `application/wasm` MIME type. Falling back to `WebAssembly.instantiate` which is slower. Original error:\n", e);

                } else { throw e; }
            }
        }

        const bytes = await module.arrayBuffer();
        return await WebAssembly.instantiate(bytes, imports);
    } else {
        const instance = await WebAssembly.instantiate(module, imports);

        if (instance instanceof WebAssembly.Instance) {
            return { instance, module };
        } else {
            return instance;
        }
    }

    function expectedResponseType(type) {
        switch (type) {
            case 'basic': case 'cors': case 'default': return true;
        }
        return false;
    }
}

function initSync(module) {
    if (wasm !== undefined) return wasm;


    if (module !== undefined) {
        if (Object.getPrototypeOf(module) === Object.prototype) {
            ({module} = module)
        } else {
            console.warn('using deprecated parameters for `initSync()`; pass a single object instead')
        }
    }

    const imports = __wbg_get_imports();
    if (!(module instanceof WebAssembly.Module)) {
        module = new WebAssembly.Module(module);
    }
    const instance = new WebAssembly.Instance(module, imports);
    return __wbg_finalize_init(instance, module);
}

let __wbg_init_promise;
async function __wbg_init(module_or_path) {
    if (wasm !== undefined) return wasm;
    if (__wbg_init_promise === undefined) {
        __wbg_init_promise = __wbg_init_once(module_or_path);
        __wbg_init_promise.catch(() => { __wbg_init_promise = undefined; });
    }
    return __wbg_init_promise;
}

async function __wbg_init_once(module_or_path) {

    if (module_or_path !== undefined) {
        if (Object.getPrototypeOf(module_or_path) === Object.prototype) {
            ({module_or_path} = module_or_path)
        } else {
            console.warn('using deprecated parameters for the initialization function; pass a single object instead')
        }
    }


    const imports = __wbg_get_imports();

    if (typeof module_or_path === 'string' || (typeof Request === 'function' && module_or_path instanceof Request) || (typeof URL === 'function' && module_or_path instanceof URL)) {
        module_or_path = fetch(module_or_path);
    }

    const { instance, module } = await __wbg_load(await module_or_path, imports);

    return __wbg_finalize_init(instance, module);
}

export { initSync, __wbg_init as default };
