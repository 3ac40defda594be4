// SPDX-License-Identifier: Apache-2.0 OR MIT
//! hello ADDRESS: answers GET / over HTTP/1.1 with a text, a process per connection.
use submillisecond::{router, Application};

fn index() -> &'static str {
    "Hello, world!"
}

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).expect("usage: hello ADDRESS");
    Application::new(router! {
        GET "/" => index
    })
    .serve(address)
}
