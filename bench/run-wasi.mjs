// Runs a WASI preview 1 program on node: node [--liftoff-only] run-wasi.mjs program.wasm [arguments]
import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";
import process from "node:process";

process.removeAllListeners("warning");
const [file, ...args] = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args: [file, ...args], env: {}, returnOnExit: true });
const module = await WebAssembly.compile(await readFile(file));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
