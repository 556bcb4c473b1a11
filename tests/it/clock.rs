//! Timers and time limits need a clock: with the feature `std` there is one, without it the program
//! is told that there is none.
#![cfg(all(feature = "unix", target_os = "linux"))]

use std::convert::Infallible;
use std::time::Duration;

use nullink::server::{Limits, Server, Slots};
use nullink::unix::{IoError, Stream};

/// Runs `test` with a server that has one connection, whose other end it gets, too.
fn with_server(test: impl FnOnce(&mut Server<'_, Infallible, 1>, Stream)) {
    let (ours, theirs) = Stream::pair().unwrap();
    let mut slots = Slots::<1, 64, 512>::new();
    test(&mut Server::new(ours, &mut slots).unwrap(), theirs);
}

/// Limits with one time each.
fn timed() -> [Limits; 4] {
    let time = Some(Duration::from_millis(1));
    let none = Limits::default();
    [
        Limits { idle: time, ..none },
        Limits {
            message: time,
            ..none
        },
        Limits {
            write: time,
            ..none
        },
        Limits { exit: time, ..none },
    ]
}

#[test]
#[cfg(not(feature = "std"))]
fn a_timer_without_a_clock_is_an_error() {
    with_server(|server, _| {
        assert_eq!(server.set_timer(1, Some(1)), Err(IoError::NoClock));
        assert_eq!(server.set_timer(1, None), Ok(()), "this needs none");
        server.set_clock(nullink::unix::monotonic);
        assert_eq!(server.set_timer(1, Some(1)), Ok(()));
    });
}

#[test]
#[cfg(not(feature = "std"))]
fn a_time_limit_without_a_clock_is_an_error() {
    for limits in timed() {
        with_server(|server, _| {
            assert_eq!(
                server.set_limits(limits),
                Err(IoError::NoClock),
                "{limits:?}"
            );
            server.set_clock(nullink::unix::monotonic);
            assert_eq!(server.set_limits(limits), Ok(()), "{limits:?}");
        });
    }
    with_server(|server, _| {
        let counted = Limits {
            per_user: Some(1),
            ..Limits::default()
        };
        assert_eq!(server.set_limits(counted), Ok(()), "this needs none");
    });
}

#[test]
fn the_error_says_what_to_do() {
    assert!(IoError::NoClock.to_string().contains("set_clock"));
}

#[cfg(feature = "std")]
mod with_std {
    use nullink::server::Event;
    use nullink::{Answer, Call, Info, Interface, Refusal, Responder, Service};

    use super::*;

    struct Nothing;

    impl Service for Nothing {
        const INTERFACES: &'static [Interface] = &[];

        fn info(&self) -> Info<'_> {
            Info::default()
        }

        fn call<'c>(&mut self, _: Call<'c>, _: Responder<'c>) -> Answer<'c> {
            Err(Refusal::MethodNotFound)
        }
    }

    #[test]
    fn a_timer_expires_without_a_clock_of_the_program() {
        with_server(|server, _client| {
            let before = std::time::Instant::now();
            server.set_timer(3, Some(20)).unwrap();
            assert_eq!(server.serve(&mut Nothing), Ok(Event::Timer(3)));
            assert!(before.elapsed() >= Duration::from_millis(19));
        });
    }

    #[test]
    fn an_idle_client_is_disconnected_without_a_clock_of_the_program() {
        with_server(|server, _client| {
            server.set_limits(timed()[0]).unwrap();
            let event = server.step(&mut Nothing);
            assert!(
                matches!(event, Ok(Event::Disconnected(_, Err(_)))),
                "{event:?}"
            );
        });
    }

    #[test]
    fn the_exit_limit_begins_when_the_server_does() {
        // Not when the clock began: it would be reached at once.
        std::thread::sleep(Duration::from_millis(1));
        let listener =
            nullink::unix::Listener::bind(&format!("unix:@nullink-clock-{}", std::process::id()));
        let mut slots = Slots::<1, 64, 512>::new();
        let before = std::time::Instant::now();
        let mut server = Server::<Infallible, 1>::new(listener.unwrap(), &mut slots).unwrap();
        let exit = Some(Duration::from_millis(50));
        server
            .set_limits(Limits {
                exit,
                ..Limits::default()
            })
            .unwrap();
        assert_eq!(server.serve(&mut Nothing), Ok(Event::Idle));
        assert!(before.elapsed() >= Duration::from_millis(49));
    }
}
