// SPDX-License-Identifier: Apache-2.0 OR MIT
// Many live processes: each receives 100 bytes through the crate's Mailbox and waits again. live COUNT.
// The protocol is that of bench/guests/live.c: prints "ready" when all have received, waits for a line
// on standard input, then lets each of them answer and counts.
use lunatic::{spawn, Mailbox, Process};

#[derive(serde::Serialize, serde::Deserialize)]
struct Note {
    parent: Process<u64>,
    bytes: Vec<u8>,
}

#[lunatic::main]
fn main(mailbox: Mailbox<u64>) {
    let count: usize = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(100_000);
    let me = mailbox.this();
    let mut all: Vec<Process<Note>> = Vec::with_capacity(count);

    for _ in 0..count {
        let p = spawn!(|mailbox: Mailbox<Note>| {
            loop {
                let note = mailbox.receive();
                note.parent.send(note.bytes.len() as u64);
            }
        });
        p.send(Note { parent: me, bytes: vec![7; 100] });
        all.push(p);
    }
    for _ in 0..count {
        assert_eq!(mailbox.receive(), 100);
    }
    println!("ready");
    let mut line = String::new();
    if std::io::stdin().read_line(&mut line).unwrap_or(0) == 0 {
        std::process::exit(1);
    }
    for p in &all {
        p.send(Note { parent: me, bytes: vec![9; 1] });
    }
    let answered: u64 = (0..count).map(|_| mailbox.receive()).sum();
    println!("answered {answered}");
}
