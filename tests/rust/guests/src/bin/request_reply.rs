// Requests and replies through typed mailboxes and the crate's serializer.
// expect: 1 + 2 = 3
// expect: sum of 1000 requests: 500500
// exit: 0
use lunatic::{Mailbox, Process};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum Request {
    Add { a: i64, b: i64, reply_to: Process<Reply> },
    Stop,
}

#[derive(Serialize, Deserialize, Debug)]
struct Reply {
    text: String,
    value: i64,
}

fn adder(_: (), mailbox: Mailbox<Request>) {
    while let Request::Add { a, b, reply_to } = mailbox.receive() {
        reply_to.send(Reply { text: format!("{} + {} = {}", a, b, a + b), value: a + b });
    }
}

#[lunatic::main]
fn main(mailbox: Mailbox<Reply>) {
    let server = Process::spawn_link((), adder);
    let this = mailbox.this();
    server.send(Request::Add { a: 1, b: 2, reply_to: this.clone() });
    println!("{}", mailbox.receive().text);
    let mut sum = 0;
    for i in 1..=1000 {
        server.send(Request::Add { a: sum, b: i, reply_to: this.clone() });
        sum = mailbox.receive().value;
    }
    println!("sum of 1000 requests: {}", sum);
    server.send(Request::Stop);
}
