// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests that all pass, with processes, names, files and arguments.
use lunatic::{Mailbox, Process};
use std::time::Duration;

#[lunatic::test]
fn a_child_answers(mailbox: Mailbox<i32>) {
    let parent = mailbox.this();
    Process::<()>::spawn_link(parent, |parent, _: Mailbox<()>| {
        println!("a child prints");
        parent.send(testing::add(40, 2));
    });
    assert_eq!(mailbox.receive(), 42);
}

// Both register the same name, at the same time.
#[lunatic::test]
fn names_are_its_own(mailbox: Mailbox<()>) {
    assert!(Process::<()>::lookup(&"name").is_none());
    mailbox.this().register(&"name");
    lunatic::sleep(Duration::from_millis(50));
    assert_eq!(Process::<()>::lookup(&"name").unwrap().id(), mailbox.this().id());
}

#[lunatic::test]
fn names_are_its_own_too(mailbox: Mailbox<()>) {
    assert!(Process::<()>::lookup(&"name").is_none());
    mailbox.this().register(&"name");
    lunatic::sleep(Duration::from_millis(50));
    assert_eq!(Process::<()>::lookup(&"name").unwrap().id(), mailbox.this().id());
}

#[lunatic::test]
fn files_and_variables_are_there() {
    assert!(std::fs::read_to_string("Cargo.toml").unwrap().contains("testing"));
    assert!(std::env::var("CARGO_MANIFEST_DIR").is_ok());
}

#[lunatic::test]
fn the_program_has_a_name() {
    assert!(std::env::args().next().unwrap().ends_with(".wasm"));
}
