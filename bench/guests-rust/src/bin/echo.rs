// SPDX-License-Identifier: Apache-2.0 OR MIT
// A TCP echo server with the Rust crate, a process per connection: echo.wasm ADDRESS:PORT
use lunatic::net::{TcpListener, TcpStream};
use lunatic::{Mailbox, Process};
use std::io::{Read, Write};

fn serve(mut stream: TcpStream, _: Mailbox<()>) {
    let mut buffer = [0u8; 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(size) => {
                if stream.write_all(&buffer[..size]).is_err() {
                    return;
                }
            }
        }
    }
}

#[lunatic::main]
fn main(_: Mailbox<()>) {
    let address = std::env::args().nth(1).expect("an address");
    let listener = TcpListener::bind(address.as_str()).expect("cannot listen");
    println!("listening on {address}");
    loop {
        if let Ok((stream, _)) = listener.accept() {
            Process::spawn(stream, serve);
        }
    }
}
