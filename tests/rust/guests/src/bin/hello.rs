// expect: Hello, world!
// exit: 0
fn main() {
    println!("Hello, world!");
}
