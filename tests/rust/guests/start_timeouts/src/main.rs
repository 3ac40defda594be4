// Processes that are started and shut down with a timeout, once in vain and once in time; and a reference
// that is made of a process's numbers.
// expect: starting in time: 7
// expect: by its numbers: 7
// expect: shutting down in time: Ok(())
// expect: gone: true
// expect: starting too slowly: timed out
// expect: shutting down too slowly: Err(Timeout)
// exit: 0
use lunatic::ap::handlers::Request;
use lunatic::ap::{AbstractProcess, Config, ProcessRef, RequestHandler, StartupError, State};
use lunatic::serializer::Bincode;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
enum Slow {
    Never,
    Start,
    End,
}

struct Counter(Slow);

#[derive(serde::Serialize, serde::Deserialize)]
struct Get;

impl AbstractProcess for Counter {
    type Arg = Slow;
    type State = Self;
    type Serializer = Bincode;
    type Handlers = (Request<Get>,);
    type StartupError = ();

    fn init(_: Config<Self>, slow: Slow) -> Result<Self, ()> {
        if slow == Slow::Start {
            lunatic::sleep(LONG);
        }
        Ok(Counter(slow))
    }

    fn terminate(state: Self) {
        if state.0 == Slow::End {
            lunatic::sleep(LONG);
        }
    }
}

impl RequestHandler<Get> for Counter {
    type Response = u32;

    fn handle(_: State<Self>, _: Get) -> u32 {
        7
    }
}

fn main() {
    let counter = Counter::link().start_timeout(Slow::Never, LONG).unwrap();
    println!("starting in time: {}", counter.request(Get));
    let same = unsafe { ProcessRef::<Counter>::new(counter.node_id(), counter.id()) };
    println!("by its numbers: {}", same.request(Get));
    println!("shutting down in time: {:?}", same.shutdown_timeout(Some(LONG)));
    while counter.is_alive() {
        lunatic::sleep(Duration::from_millis(1));
    }
    println!("gone: {}", !same.is_alive());

    match Counter::link().start_timeout(Slow::Start, SHORT) {
        Err(StartupError::TimedOut) => println!("starting too slowly: timed out"),
        other => println!("starting too slowly: {:?}", other),
    }
    let stubborn = Counter::link().start_timeout(Slow::End, LONG).unwrap();
    println!("shutting down too slowly: {:?}", stubborn.shutdown_timeout(Some(SHORT)));
}
