// SPDX-License-Identifier: Apache-2.0 OR MIT
// Runs each module of a stream made by smith on V8 and prints what happened, in the words that
// tests/fuzz/compare/run.c prints for ours: run-v8.mjs FIRST < STREAM
import { readFileSync } from "node:fs";
import process from "node:process";

const stream = readFileSync(0);
let number = BigInt(process.argv[2] ?? 0);
const lines = [];

// What V8 calls a trap, in our words. Kinds that V8 does not tell apart share a word.
function trapWord(error) {
    const text = String(error.message);
    if (error instanceof RangeError) return "stack";
    if (/unreachable/.test(text)) return "unreachable";
    if (/memory access out of bounds|data segment/.test(text)) return "memory";
    if (/table index is out of bounds|table access out of bounds|element segment|table or|out of bounds/.test(text)) return "table";
    if (/divide by zero|remainder by zero/.test(text)) return "zero";
    if (/divide result unrepresentable/.test(text)) return "range";
    if (/float unrepresentable/.test(text)) return "range";
    if (/null function|signature mismatch|indirect/.test(text)) return "signature";
    return "unknown: " + text;
}

// The parameters are derived from the module's number, the call's and the parameter's.
function mix(...parts) {
    let x = 0xcbf29ce484222325n;
    for (const p of parts) x = BigInt.asUintN(64, (x ^ BigInt(p)) * 0x100000001b3n);
    return BigInt.asUintN(64, x ^ (x >> 29n));
}

const view = new DataView(new ArrayBuffer(8));

function argument(type, bits) {
    view.setBigUint64(0, bits, true);
    switch (type) {
    case 0x7f: return view.getInt32(0, true);
    case 0x7e: return BigInt.asIntN(64, bits);
    case 0x7d: return Math.fround(view.getInt32(0, true) / 64);
    case 0x7c: return view.getInt32(0, true) / 64;
    default: return null;
    }
}

function result(type, value) {
    switch (type) {
    case 0x7f: view.setInt32(0, value, true); return "i:" + view.getUint32(0, true).toString(16);
    case 0x7e: return "I:" + BigInt.asUintN(64, value).toString(16);
    case 0x7d: if (Number.isNaN(value)) return "f:nan"; view.setFloat32(0, value, true); return "f:" + view.getUint32(0, true).toString(16);
    case 0x7c: if (Number.isNaN(value)) return "F:nan"; view.setFloat64(0, value, true); return "F:" + view.getBigUint64(0, true).toString(16);
    default: return value === null ? "r:null" : "r:set";
    }
}

// Just enough of a decoder to know the exports' types.
function decode(bytes) {
    let at = 8;
    const leb = () => { let r = 0, s = 0, b; do { b = bytes[at++]; r += (b & 127) * 2 ** s; s += 7; } while (b & 128); return r; };
    const name = () => { const n = leb(); const s = new TextDecoder().decode(bytes.subarray(at, at + n)); at += n; return s; };
    const types = [], functions = [], globals = [], exports_ = [];
    const skipConst = () => {
        for (;;) {
            const op = bytes[at++];
            if (op === 0x0b) return;
            if (op === 0x41 || op === 0x42) { while (bytes[at++] & 128); }
            else if (op === 0x43) at += 4;
            else if (op === 0x44) at += 8;
            else if (op === 0x23 || op === 0xd2) leb();
            else if (op === 0xd0) at++;
            else if (!((op >= 0x6a && op <= 0x6c) || (op >= 0x7c && op <= 0x7e))) throw new Error("constant " + op);
        }
    };
    while (at < bytes.length) {
        const id = bytes[at++], size = leb(), end = at + size;
        if (id === 1) for (let n = leb(); n--;) { at++; const p = [], r = []; for (let k = leb(); k--;) p.push(bytes[at++]); for (let k = leb(); k--;) r.push(bytes[at++]); types.push([p, r]); }
        if (id === 3) for (let n = leb(); n--;) functions.push(leb());
        if (id === 6) for (let n = leb(); n--;) { globals.push(bytes[at]); at += 2; skipConst(); }
        if (id === 7) for (let n = leb(); n--;) { const s = name(), kind = bytes[at++], index = leb(); exports_.push([s, kind, index]); }
        at = end;
    }
    return { types, functions, globals, exports_ };
}

// FNV-1a over 64-bit words would be slow in BigInt: 32 bits of it are enough to see a difference.
function hash(bytes) {
    let h = 0x811c9dc5;
    for (let i = 0; i < bytes.length; i++) h = Math.imul(h ^ bytes[i], 0x01000193);
    return (h >>> 0).toString(16);
}

for (let at = 0; at < stream.length; number++) {
    const size = stream.readUInt32LE(at), bytes = stream.subarray(at + 4, at + 4 + size);
    at += 4 + size;
    lines.push("module " + number);
    const { types, functions, globals, exports_ } = decode(bytes);
    let instance;
    try {
        instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {});
    } catch (error) {
        lines.push("start " + (error instanceof WebAssembly.CompileError ? "invalid " + error.message : trapWord(error)));
        continue;
    }
    let calls = 0;
    for (const [name, kind, index] of exports_) {
        if (kind !== 0) continue;
        const [params, results] = types[functions[index]];
        const args = params.map((t, i) => argument(t, mix(number, calls, i)));
        calls++;
        try {
            let values = instance.exports[name](...args);
            if (results.length === 0) values = [];
            else if (results.length === 1) values = [values];
            lines.push(`call ${index} ` + [...values].map((v, i) => result(results[i], v)).join(" "));
        } catch (error) {
            lines.push(`call ${index} trap ` + trapWord(error));
        }
    }
    for (const [name, kind, index] of exports_) {
        const e = instance.exports[name];
        if (kind === 2) { const m = new Uint8Array(e.buffer); lines.push(`memory ${m.length / 65536} ${hash(m)}`); }
        if (kind === 3) lines.push(`global ${index} ` + result(globals[index], e.value));
        if (kind === 1) { let n = 0; for (let i = 0; i < e.length; i++) n = Math.imul(n, 31) + (e.get(i) === null ? 1 : 2) | 0; lines.push(`table ${index} ${e.length} ${(n >>> 0).toString(16)}`); }
    }
}
process.stdout.write(lines.join("\n") + "\n");
