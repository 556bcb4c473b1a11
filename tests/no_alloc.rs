//! Client and service allocate nothing, as counted by the allocator of this program.

#[path = "../examples/shared/certification.rs"]
#[allow(dead_code)] // not all fields of `Progress` are read
mod certification;
#[path = "../examples/shared/t.rs"]
mod t;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use certification::{Certification, certify};
use nullink::Loopback;
use nullink::client::{self, CallError};
use nullink::json::Raw;
use nullink::service::{self, GetInfo, GetInterfaceDescription, State};
use nullink::{Client, Mode};
use t::T;

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations<R>(run: impl FnOnce() -> R) -> (R, u64) {
    let before = ALLOCATIONS.with(Cell::get);
    let result = run();
    (result, ALLOCATIONS.with(Cell::get) - before)
}

#[test]
fn the_allocator_counts_allocations() {
    let (boxed, count) = allocations(|| Box::new(1));
    assert_eq!((*boxed, count), (1, 1));
}

#[test]
fn a_hundred_thousand_calls_allocate_nothing() {
    let deep = format!(r#"{{"method":"a.b.C","x.y":{}"#, "[".repeat(3000));
    let calls: &[&[u8]] = &[
        br#"{"method":"org.example.t.Empty"}"#,
        br#"{"method":"org.example.t.Need","parameters":{"s":"\u0041\ud83e\udd80 \"plain\""}}"#,
        br#"{"method":"org.example.t.Need","parameters":{"s":1}}"#,
        br#"{"method":"org.example.t.Need"}"#,
        br#"{"method":"org.example.t.Fail"}"#,
        br#"{"method":"org.example.t.Count","more":true,"parameters":{"n":5}}"#,
        br#"{"method":"org.example.t.Count","parameters":{"n":5}}"#,
        br#"{"method":"org.example.t.Echo","parameters":{"i":1,"f":0.1,"b":true,"s":"x","o":{},"a":[1],"l":[1,2],"m":{"a":"b"},"c":"red","unknown":[{"a":[]}]}}"#,
        br#"{"method":"org.example.t.Echo","parameters":{"f":1e999}}"#,
        br#"{"method":"org.example.t.Unheard","oneway":true}"#,
        br#"{"method":"org.example.unheard.Of"}"#,
        br#"{"method":"org.varlink.service.GetInfo"}"#,
        br#"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"org.example.t"}}"#,
        // The following calls close the connection. `GOOD` counts those before them.
        b"",
        b"nonsense",
        br#"{"method":1}"#,
        br#"{"method":"a.b.C","unknown":1}"#,
        br#"{"method":"a.b.C","more":true,"oneway":true}"#,
        b"{\"method\":\"\xff\"}",
        deep.as_bytes(),
        &[b'x'; 5000],
    ];
    const GOOD: usize = 13;
    let mut scratch = [0; 4096];
    let mut service = T {
        scratch: &mut scratch,
    };
    let (mut receive, mut send) = ([0; 4096], [0; 8192]);
    let ((replies, closed), count) = allocations(|| {
        let (mut replies, mut closed) = (0, 0);
        let mut handled = 0;
        while handled < 100_000 {
            // One connection, until a call closes it.
            let mut session = service::Session::new(&mut receive, &mut send);
            let mut alive = true;
            while alive && handled < 100_000 {
                let call = calls[handled % calls.len()];
                handled += 1;
                let mut bytes = call.iter().chain(&[0]);
                while alive {
                    if session.step(&mut service) {
                        continue;
                    }
                    let state = session.state();
                    let channel = session.channel();
                    let pending = channel.pending();
                    let count = pending.len();
                    if count > 0 {
                        replies += pending.iter().filter(|byte| **byte == 0).count();
                        channel.sent(count);
                        continue;
                    }
                    if let State::Ended(_) = state {
                        alive = false;
                        continue;
                    }
                    let spare = channel.spare().iter_mut();
                    let count = spare.zip(&mut bytes).map(|(to, byte)| *to = *byte).count();
                    if count == 0 {
                        break;
                    }
                    channel.received(count);
                }
            }
            closed += usize::from(!alive);
        }
        (replies, closed)
    });
    assert_eq!(count, 0);
    let closing = (0..100_000).filter(|n| n % calls.len() >= GOOD);
    assert_eq!(closed, closing.count());
    assert!(replies > 70_000, "{replies}");
}

#[test]
fn certification_of_client_and_service_allocates_nothing() {
    let (mut a, mut b, mut c, mut d) = ([0; 4096], [0; 4096], [0; 4096], [0; 8192]);
    let (passed, count) = allocations(|| {
        let stream = Loopback::new(Certification::default(), &mut a, &mut b);
        let mut client = Client::new(stream, &mut c, &mut d);
        let mut passed = 0;
        for _ in 0..100 {
            let all_ok = certify(&mut client, &mut |progress| match progress {
                certification::Progress::Passed(_) => passed += 1,
                certification::Progress::Failed(method, _) => panic!("{method}"),
            });
            assert!(all_ok);
        }
        passed
    });
    assert_eq!((passed, count), (1300, 0));
}

#[test]
fn a_client_allocates_nothing_for_any_kind_of_reply() {
    let (mut a, mut b, mut c, mut d) = ([0; 1024], [0; 8192], [0; 4096], [0; 1024]);
    let mut scratch = [0; 1024];
    let (names, count) = allocations(|| {
        let service = T {
            scratch: &mut scratch,
        };
        let stream = Loopback::new(service, &mut a, &mut b);
        let mut client = Client::new(stream, &mut c, &mut d);
        let mut names = 0;
        for _ in 0..1000 {
            let info = client.call(&GetInfo).unwrap();
            for name in info.member("interfaces").unwrap().items().unwrap() {
                names += usize::from(name.decode::<&str>().unwrap().starts_with("org."));
            }
            let interface = "org.example.t";
            assert!(client.call(&GetInterfaceDescription { interface }).is_ok());
            let unknown = client.call(&GetInterfaceDescription { interface: "a.b" });
            assert!(matches!(unknown, Err(CallError::Service(_))));
            let oops = client
                .call_raw("org.example.t.Fail", Raw::EMPTY_OBJECT)
                .unwrap();
            assert_eq!(oops.error(), Some("org.example.t.Oops"));
            let parameters = Raw::new(r#"{"n":3}"#).unwrap();
            client
                .queue_raw("org.example.t.Count", Mode::More, parameters)
                .unwrap();
            while client.receive_raw().unwrap().continues() {}
        }
        names
    });
    assert_eq!((names, count), (2000, 0));
    assert_eq!(client::Session::MAX_CALLS, 128);
}
