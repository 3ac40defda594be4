// SPDX-License-Identifier: Apache-2.0 OR MIT
// Spawn, one message back through the crate's Mailbox, exit; one after another. Prints nanoseconds for
// one, the median of rounds.
use lunatic::{spawn, Mailbox};
use std::time::Instant;

#[lunatic::main]
fn main(mailbox: Mailbox<u64>) {
    let per_round = 2000;
    let me = mailbox.this();
    let mut rounds: Vec<f64> = (0..21)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..per_round {
                spawn!(|me| me.send(1));
                assert_eq!(mailbox.receive(), 1);
            }
            start.elapsed().as_nanos() as f64 / per_round as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("rust_spawn_ns {:.1}", rounds[rounds.len() / 2]);
}
