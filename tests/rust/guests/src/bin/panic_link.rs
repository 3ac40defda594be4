// A panic in a linked child arrives as a signal, and the parent goes on.
// expect: the child died
// expect: and the parent goes on
// exit: 0
use lunatic::{spawn_link, Mailbox, MessageSignal};

#[lunatic::main]
fn main(mailbox: Mailbox<()>) {
    let mailbox = mailbox.catch_link_failure();
    spawn_link!(|_mailbox: Mailbox<()>| panic!("deliberate"));
    match mailbox.receive() {
        MessageSignal::Signal(_) => println!("the child died"),
        MessageSignal::Message(()) => println!("a message that nobody sent"),
    }
    println!("and the parent goes on");
}
