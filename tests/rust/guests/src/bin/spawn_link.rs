// The shape of the example in the crate's documentation: a linked child prints, the parent waits.
// expect: Hello world from a process!
// expect: the child has ended
// exit: 0
use lunatic::{spawn_link, Mailbox};

#[lunatic::main]
fn main(mailbox: Mailbox<String>) {
    let this = mailbox.this();
    spawn_link!(|this, _mailbox: Mailbox<()>| {
        println!("Hello world from a process!");
        this.send("the child has ended".to_string());
    });
    println!("{}", mailbox.receive());
}
