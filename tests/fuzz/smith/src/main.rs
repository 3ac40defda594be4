// SPDX-License-Identifier: Apache-2.0 OR MIT
//! smith FIRST COUNT: writes modules FIRST to FIRST + COUNT - 1 to standard output, each with its size
//! before it (32 bits, little-endian). The same number always gives the same module.
//!
//! Modules import nothing, export everything, always terminate and canonicalise NaNs, so that engines
//! can only differ by a mistake.
use std::io::Write;
use wasm_smith::{Config, Module};

fn config() -> Config {
    Config {
        min_funcs: 1,
        max_imports: 0,
        min_exports: 1,
        export_everything: true,
        max_memories: 1,
        max_memory32_bytes: 4 << 16,
        max_tables: 3,
        max_table_elements: 1000,
        max_instructions: 400,
        allow_start_export: true,
        bulk_memory_enabled: true,
        reference_types_enabled: true,
        multi_value_enabled: true,
        saturating_float_to_int_enabled: true,
        sign_extension_ops_enabled: true,
        simd_enabled: false,
        relaxed_simd_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        memory64_enabled: false,
        custom_page_sizes_enabled: false,
        wide_arithmetic_enabled: false,
        extended_const_enabled: true,
        canonicalize_nans: true,
        ..Config::default()
    }
}

/// Bytes that depend on `seed` alone (xorshift64*).
fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9e3779b97f4a7c15) | 1;
    (0..size)
        .map(|_| {
            x ^= x >> 12;
            x ^= x << 25;
            x ^= x >> 27;
            (x.wrapping_mul(0x2545f4914f6cdd1d) >> 56) as u8
        })
        .collect()
}

fn main() {
    let args: Vec<u64> = std::env::args().skip(1).map(|a| a.parse().expect("a number")).collect();
    let [first, count] = args[..] else { panic!("usage: smith FIRST COUNT") };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for seed in first..first + count {
        let bytes = noise(seed, 300 + (seed % 17) as usize * 300);
        let mut module = Module::new(config(), &mut arbitrary::Unstructured::new(&bytes))
            .expect("enough bytes for a module");
        module.ensure_termination(10_000).expect("no import takes the counter's place");
        let wasm = module.to_bytes();
        out.write_all(&(wasm.len() as u32).to_le_bytes()).unwrap();
        out.write_all(&wasm).unwrap();
    }
    out.flush().unwrap();
}
