// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Unit tests that end in every way there is.

pub fn add(a: i32, b: i32) -> i32 {
    a + b
}

#[cfg(test)]
mod tests {
    use super::add;
    use lunatic::{Mailbox, Process};

    #[lunatic::test]
    fn passes() {
        println!("output of passes");
        assert_eq!(add(2, 2), 4);
    }

    #[lunatic::test]
    fn fails() {
        println!("output of fails");
        assert_eq!(add(2, 2), 5, "the sum is wrong");
    }

    #[lunatic::test]
    #[ignore]
    fn ignored() {
        panic!("was not ignored");
    }

    #[lunatic::test]
    #[should_panic]
    fn panics() {
        panic!("in some way");
    }

    #[lunatic::test]
    #[should_panic(expected = "the # 'expected', words")]
    fn panics_as_expected() {
        panic!("these are\nthe # 'expected', words: {}", 7);
    }

    #[lunatic::test]
    #[should_panic(expected = "expected")]
    fn panics_otherwise() {
        panic!("something else");
    }

    #[lunatic::test]
    #[should_panic]
    fn does_not_panic() {}

    #[lunatic::test]
    #[should_panic(expected = "from below")]
    fn a_failed_link_is_no_panic_of_its_own(mailbox: Mailbox<()>) {
        Process::<()>::spawn_link((), |_, _: Mailbox<()>| panic!("from below"));
        mailbox.receive();
    }

    #[lunatic::test]
    fn returns_an_error() -> Result<(), String> {
        Err("the error it returns".to_string())
    }

    #[lunatic::test]
    fn exits() {
        std::process::exit(3);
    }
}
