//! Slots of any size: the way that the documentation of `Slots` shows, in debug builds too.
#![cfg(all(feature = "unix", target_os = "linux"))]

use std::convert::Infallible;
use std::sync::Mutex;
use std::thread;

use nullink::server::Limits;
use nullink::service::State;
use nullink::unix::Stream;
use nullink::{Answer, Call, Client, Info, Interface, Method, Mode, NoError, Responder};
use nullink::{Server, Service, Slots, interface};
use serde::{Deserialize, Serialize};

const LONG: Interface = interface!(
    text
    "
interface org.example.long

# The text again
method Echo(text: string) -> (text: string)
"
);

#[derive(Deserialize)]
enum Methods<'a> {
    Echo { text: &'a str },
}

#[derive(Serialize, Deserialize)]
struct Echo<'a> {
    text: &'a str,
}

impl Method for Echo<'_> {
    const NAME: &'static str = "org.example.long.Echo";
    type Output<'r> = Echo<'r>;
    type Error<'r> = NoError;
}

struct Repeater;

impl Service for Repeater {
    const INTERFACES: &'static [Interface] = &[LONG];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        let Methods::Echo { text } = call.decode()?;
        reply.send(&Echo { text })
    }
}

const CONNECTIONS: usize = 64;
const LENGTH: usize = 128 * 1024;

type Large = Slots<CONNECTIONS, LENGTH, LENGTH>;

static SLOTS: Mutex<Large> = Mutex::new(Slots::new());

fn serve() {
    let mut slots = SLOTS.lock().unwrap();
    let (ours, theirs) = Stream::pair().unwrap();
    let mut server = Server::new(ours, &mut *slots).unwrap();
    let text = "x".repeat(LENGTH / 2 - 100);
    let (mut receive, mut send) = (vec![0; LENGTH], vec![0; LENGTH]);
    let mut client = Client::new(theirs, &mut receive, &mut send);
    client.queue(&Echo { text: &text }, Mode::Simple).unwrap();
    client.flush().unwrap();
    assert_eq!(server.settle(&mut Repeater), Ok(None));
    assert_eq!(client.receive::<Echo<'_>>().unwrap().text, text);
}

#[test]
fn large_slots_in_a_static_need_no_stack() {
    // Less than one buffer of a place.
    let small = thread::Builder::new().stack_size(LENGTH - 1);
    small.spawn(serve).unwrap().join().unwrap();
}

#[test]
fn their_size_is_the_documented_one() {
    const fn bytes(connections: usize, rx: usize, tx: usize, descriptors: usize) -> usize {
        connections * (rx + tx + 12 * descriptors + 400) + Limits::MAX_LISTENERS * rx
    }
    let sizes = [
        (size_of::<Large>(), bytes(CONNECTIONS, LENGTH, LENGTH, 0)),
        (size_of::<Slots<8, 4096, 8192>>(), bytes(8, 4096, 8192, 0)),
        (
            size_of::<Slots<1, 512, 1024, 253>>(),
            bytes(1, 512, 1024, 253),
        ),
        (size_of::<Slots<1000, 1, 512>>(), bytes(1000, 1, 512, 0)),
    ];
    for (size, documented) in sizes {
        assert!(size <= documented, "{size} > {documented}");
        assert!(
            size * 10 > documented * 8,
            "{size} is far less than {documented}"
        );
    }
}

#[test]
fn the_size_of_a_server_is_the_documented_one() {
    type Odd = [u8; 17];
    let documented = |places, state| 1400 + places * state;
    for (size, documented) in [
        (size_of::<Server<'_, Infallible, 1>>(), documented(1, 40)),
        (size_of::<Server<'_, u64, 1000, 16>>(), documented(1000, 40)),
        (
            size_of::<Server<'_, Odd, 64>>(),
            documented(64, size_of::<State<Odd>>()),
        ),
    ] {
        assert!(size <= documented, "{size} > {documented}");
        assert!(
            size * 10 > documented * 8,
            "{size} is far less than {documented}"
        );
    }
}

/// Returns the number of page faults of this thread: minflt of proc_pid_stat(5).
fn page_faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    fields.split(' ').nth(7).unwrap().parse().unwrap()
}

#[test]
fn a_new_server_does_not_touch_the_memory_of_its_places() {
    static SLOTS: Mutex<Slots<1000, 4096, 8192, 16>> = Mutex::new(Slots::new());
    let mut slots = SLOTS.lock().unwrap();
    let (ours, _theirs) = Stream::pair().unwrap();
    // The code is in memory after the first server.
    let mut few = Slots::<1, 64, 64, 16>::new();
    drop(Server::<u32, 1, 16>::new(ours, &mut few).unwrap());
    let (ours, _theirs) = Stream::pair().unwrap();
    page_faults();
    let before = page_faults();
    let server = Server::<u32, 1000, 16>::new(ours, &mut slots).unwrap();
    drop(server);
    // The states of the sessions are on the stack.
    let states = 1000 * size_of::<nullink::service::State<u32>>() * 4 / 4096;
    let faults = usize::try_from(page_faults() - before).unwrap();
    assert!(faults < 16 + states, "{faults}");
}
