// SPDX-License-Identifier: Apache-2.0 OR MIT
//! smith FIRST COUNT [FOLDER]: writes modules FIRST to FIRST + COUNT - 1 to standard output, each with its size
//! before it (32 bits, little-endian), or each to a file of FOLDER if that is given too. The same number
//! always gives the same module.
//!
//! Modules import nothing, export everything, always terminate and canonicalise NaNs, so that engines
//! can only differ by a mistake.
use std::io::Write;
use wasm_smith::{Config, Module};

/// Even modules are of any shape and may trap, most do soon. Odd ones never trap (but for lack of fuel or
/// stack) and put their bytes into few and long functions, with memory, tables and globals to work on.
fn config(seed: u64) -> Config {
    let odd = seed % 2 == 1;
    let any = Config::default();
    Config {
        disallow_traps: odd,
        min_types: if odd { 2 } else { 0 },
        max_types: if odd { 6 } else { any.max_types },
        min_funcs: if odd { 2 } else { 1 },
        max_funcs: if odd { 2 + (seed / 2 % 8) as usize } else { any.max_funcs },
        min_memories: odd as u32,
        min_tables: odd as u32,
        min_globals: if odd { 4 } else { 0 },
        max_globals: if odd { 12 } else { any.max_globals },
        max_data_segments: if odd { 3 } else { any.max_data_segments },
        max_element_segments: if odd { 3 } else { any.max_element_segments },
        max_elements: if odd { 8 } else { any.max_elements },
        max_instructions: if odd { 3000 } else { 400 },
        max_imports: 0,
        min_exports: 1,
        export_everything: true,
        max_memories: 1,
        max_memory32_bytes: 4 << 16,
        // Without a maximum memory grows to gigabytes, and comparing it takes most of the time.
        memory_max_size_required: seed % 64 != 0,
        max_tables: 3,
        max_table_elements: 1000,
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
        ..any
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
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (range, folder) = args.split_at(args.len().min(2));
    let [first, count] = *range.iter().map(|a| a.parse().expect("a number")).collect::<Vec<u64>>() else {
        panic!("usage: smith FIRST COUNT [FOLDER]")
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for seed in first..first + count {
        let bytes = noise(seed, (1 + (seed / 2 % 17) as usize) * if seed % 2 == 1 { 600 } else { 300 });
        let mut module = Module::new(config(seed), &mut arbitrary::Unstructured::new(&bytes))
            .expect("enough bytes for a module");
        module.ensure_termination(10_000).expect("no import takes the counter's place");
        let wasm = module.to_bytes();
        if let Some(folder) = folder.first() {
            std::fs::write(format!("{folder}/smith-{seed}.wasm"), wasm).expect("a folder");
            continue;
        }
        out.write_all(&(wasm.len() as u32).to_le_bytes()).unwrap();
        out.write_all(&wasm).unwrap();
    }
    out.flush().unwrap();
}
