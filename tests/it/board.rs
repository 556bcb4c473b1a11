//! The service of the firmware in tests/bare-metal, run on the host: its replies, and whether its
//! types match its definition.

use crate::shared::board;

use std::cell::Cell;

use board::{
    Board, Error, Found, GetState, Hardware, Lamp, ROOM, SetLamp, Show, State, Stop, Switched,
    Time, Watch,
};
use nullink::Client;
use nullink::Loopback;
use nullink::client::CallError;
use nullink::service::ServiceError;

/// A board whose clock advances when the service waits.
struct Fake<'a> {
    now: &'a Cell<u32>,
    lamp: Lamp,
    stopped: &'a Cell<bool>,
}

impl Hardware for Fake<'_> {
    const NAME: &'static str = "fake";

    fn uptime(&self) -> u32 {
        self.now.get()
    }

    fn wait(&self) {
        self.now.set(self.now.get().wrapping_add(1));
    }

    fn lamp(&self) -> Lamp {
        self.lamp
    }

    fn set_lamp(&mut self, lamp: Lamp) {
        self.lamp = lamp;
    }

    fn stack(&self) -> u32 {
        7
    }

    fn stop(&mut self) {
        self.stopped.set(true);
    }
}

type Loop<'b> = Loopback<'b, Board<Fake<'b>>, board::Watched>;

fn with_board(check: impl FnOnce(&mut Client<'_, Loop<'_>>, &Cell<bool>)) {
    // The clock wraps around while a client watches it.
    let (now, stopped) = (Cell::new(u32::MAX - 150), Cell::new(false));
    let board = Board::new(Fake {
        now: &now,
        lamp: Lamp::Off,
        stopped: &stopped,
    });
    let (mut a, mut b, mut c, mut d) = ([0; 512], [0; 1024], [0; 512], [0; 512]);
    let mut client = Client::new(Loopback::new(board, &mut a, &mut b), &mut c, &mut d);
    check(&mut client, &stopped);
}

#[cfg(feature = "tools")]
#[test]
fn the_types_of_the_board_match_its_definition() {
    nullink::tools::contract(&board::BOARD, |types| {
        types
            .methods::<board::Methods>()
            .errors::<Error>()
            .call::<GetState>()
            .call::<SetLamp>()
            .call::<Show>()
            .call::<Watch>()
            .call::<Stop>()
    })
    .unwrap();
}

#[test]
fn calls_switch_the_lamp_show_text_and_stop_the_board() {
    with_board(|client, stopped| {
        let switched = client.call(&SetLamp { lamp: Lamp::On });
        assert_eq!(switched, Ok(Switched { before: Lamp::Off }));
        assert_eq!(client.call(&Show { text: "hello" }), Ok(()));
        let room = client.call(&Show {
            text: &"x".repeat(ROOM + 1),
        });
        assert_eq!(room, Err(CallError::Method(Error::TooLong { room: ROOM })));
        let state = State {
            uptime: u32::MAX - 150,
            lamp: Lamp::On,
            text: "hello",
            refused: 0,
            stack: 7,
        };
        assert_eq!(client.call(&GetState), Ok(Found { state }));
        assert!(!stopped.get());
        assert_eq!(client.call(&Stop), Ok(()));
        assert!(stopped.get());
    });
}

#[test]
fn watch_streams_the_uptime_and_checks_its_parameters() {
    with_board(|client, _| {
        let (every, count) = (100, Some(3));
        let mut times = client.more(&Watch { every, count }).unwrap();
        for uptime in [u32::MAX - 50, 49, 149] {
            assert_eq!(times.next(), Ok(Some(Time { uptime })));
        }
        assert_eq!(times.next(), Ok(None));
        for (watch, parameter) in [
            (Watch { every: 1001, count }, "every"),
            (
                Watch {
                    every,
                    count: Some(0),
                },
                "count",
            ),
        ] {
            let mut times = client.more(&watch).unwrap();
            let invalid = ServiceError::InvalidParameter { parameter };
            assert_eq!(times.next(), Err(CallError::Service(invalid)));
        }
        let simple = client.call(&Watch { every, count });
        assert_eq!(simple, Err(CallError::Service(ServiceError::ExpectedMore)));
    });
}
