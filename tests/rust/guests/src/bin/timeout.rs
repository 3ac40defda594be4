// A receive with a timeout, first in vain, then in time; and a message that a timer sends.
// expect: timed out
// expect: received 42
// exit: 0
use lunatic::{Mailbox, MailboxError};
use std::time::Duration;

#[lunatic::main]
fn main(mailbox: Mailbox<u32>) {
    match mailbox.receive_timeout(Duration::from_millis(20)) {
        Err(MailboxError::TimedOut) => println!("timed out"),
        other => println!("unexpected: {:?}", other.is_ok()),
    }
    mailbox.this().send_after(42, Duration::from_millis(10));
    match mailbox.receive_timeout(Duration::from_secs(60)) {
        Ok(value) => println!("received {}", value),
        Err(_) => println!("no message"),
    }
}
