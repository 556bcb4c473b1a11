//! `org.example.uevents`: the kernel's uevents, for everyone who wants to know.
//!
//! The kernel sends them over netlink, to every socket that asks: netlink(7),
//! `NETLINK_KOBJECT_UEVENT`. A [`Server`] watches such a socket beside its clients, and
//! [`forward`] gives what comes there to those that wait for it.
//!
//! A service that has other interfaces beside it does not need [`Monitor`]: it has [`answer`] and
//! [`missed`], and cursors of its own, of which those are some that are made of a [`Wanted`].

use core::str;
use core::time::Duration;

use heapless::{LinearMap, String};
use nullink::activation::Activated;
use nullink::client::Method;
use nullink::server::{self, Limits, NoPlace, PollFlags, Server, Slots};
use nullink::service::{Info, Lagging, Outcome, Refusal, ReplyStream, Responder, Service};
use nullink::{Call, Interface, interface, unix};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, retry_on_intr, write};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recvfrom, socket_with};
use serde::{Deserialize, Serialize};

/// How many clients there can be at once.
pub const CLIENTS: usize = 16;

/// How long the longest uevent is, more or less: the kernel has 2 KiB for its properties, of which
/// the path is one; the path is in front of them, too.
pub const UEVENT: usize = 4096;

/// How long a reply with a uevent may get: quotes and escapes make it longer.
pub const REPLY: usize = 2 * UEVENT;

/// How many properties a uevent has at most: `UEVENT_NUM_ENVP`.
const PROPERTIES: usize = 64;

/// How many bytes of uevents the kernel keeps for this program: a machine that starts has
/// thousands of them.
const BACKLOG: usize = 8 << 20;

/// The number under which a server watches for uevents.
pub const UEVENTS: u32 = 0;

/// What all clients wait for.
const TOPIC: u32 = 0;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Event<'a> {
    pub action: &'a str,
    pub devpath: &'a str,
    pub subsystem: Option<&'a str>,
    pub sequence: i64,
    #[serde(borrow)]
    pub properties: LinearMap<&'a str, &'a str, PROPERTIES>,
}

impl<'a> Event<'a> {
    /// Reads what the kernel sends: `ACTION@DEVPATH`, and `KEY=VALUE` any number of times, each
    /// with a NUL at its end. None, if it is something else.
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let mut parts = message.strip_suffix(b"\0")?.split(|byte| *byte == 0);
        let (action, devpath) = split_once(parts.next()?, b'@')?;
        let (mut subsystem, mut sequence) = (None, None);
        let mut properties = LinearMap::new();
        for part in parts {
            let Some((key, value)) = split_once(part, b'=') else {
                continue;
            };
            match key {
                // The first line has said that.
                "ACTION" | "DEVPATH" => {}
                "SUBSYSTEM" => subsystem = Some(value),
                "SEQNUM" => sequence = value.parse().ok(),
                _ => _ = properties.insert(key, value).ok()?,
            }
        }
        Some(Event {
            action,
            devpath,
            subsystem,
            sequence: sequence?,
            properties,
        })
    }
}

/// What is in front of a byte and what is behind it, if both are text. (Those of `str` can panic.)
fn split_once(text: &[u8], at: u8) -> Option<(&str, &str)> {
    let place = text.iter().position(|byte| *byte == at)?;
    let (front, back) = (text.get(..place)?, text.get(place.checked_add(1)?..)?);
    Some((str::from_utf8(front).ok()?, str::from_utf8(back).ok()?))
}

/// A reply to `Monitor`.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report<'a> {
    #[serde(borrow)]
    pub event: Option<Event<'a>>,
    pub lost: Option<u32>,
}

impl Report<'_> {
    fn lost(count: u32) -> Self {
        Report {
            event: None,
            lost: Some(count),
        }
    }
}

/// The methods, one definition for both sides.
#[derive(Deserialize)]
pub enum Methods<'a> {
    #[serde(borrow)]
    Monitor(Subscribe<'a>),
    #[serde(borrow)]
    Trigger(Trigger<'a>),
}

#[derive(Serialize, Deserialize)]
pub struct Subscribe<'a> {
    pub subsystem: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
pub struct Trigger<'a> {
    pub devpath: &'a str,
    pub action: &'a str,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum Error<'a> {
    NoSuchDevice { devpath: &'a str },
}

impl Method for Subscribe<'_> {
    const NAME: &'static str = "org.example.uevents.Monitor";
    type Output<'r> = Report<'r>;
    type Error<'r> = Error<'r>;
}

impl Method for Trigger<'_> {
    const NAME: &'static str = "org.example.uevents.Trigger";
    type Output<'r> = ();
    type Error<'r> = Error<'r>;
}

/// The interface.
pub const INTERFACE: Interface = interface!("org.example.uevents.varlink");

/// The service. It keeps nothing: what a client waits for is in its cursor.
pub struct Monitor;

/// What a client waits for: the uevents of one subsystem, or all. A cursor is copied, so the name is
/// here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    name: [u8; 32],
    /// How long the name is; None is all of them.
    length: Option<usize>,
}

impl Wanted {
    /// None, if no subsystem can have that name.
    fn new(subsystem: Option<&str>) -> Option<Self> {
        let mut name = [0; 32];
        let text = subsystem.unwrap_or_default().as_bytes();
        for (at, byte) in text.iter().enumerate() {
            *name.get_mut(at)? = *byte;
        }
        let length = subsystem.map(str::len);
        Some(Wanted { name, length })
    }

    fn is(&self, subsystem: Option<&str>) -> bool {
        match (self.length, subsystem) {
            (None, _) => true,
            (Some(length), Some(name)) => self.name.get(..length) == Some(name.as_bytes()),
            (Some(_), None) => false,
        }
    }
}

impl Service for Monitor {
    type Cursor = Wanted;
    const INTERFACES: &'static [Interface] = &[INTERFACE];

    fn info(&self) -> Info<'_> {
        Info {
            vendor: "Nullink",
            product: "Monitor",
            version: env!("CARGO_PKG_VERSION"),
            url: "https://varlink.org",
        }
    }

    /// Everybody may listen, as the kernel says, too. Only root may make the kernel say something.
    fn permit(&mut self, call: &Call<'_>) -> Result<(), Refusal> {
        match (call.member(), call.peer()) {
            ("Trigger", Some(peer)) if peer.is_root() => Ok(()),
            ("Trigger", _) => Err(Refusal::PermissionDenied),
            _ => Ok(()),
        }
    }

    fn call<'c>(
        &mut self,
        call: Call<'c>,
        reply: Responder<'c, Wanted>,
    ) -> Result<Outcome<'c, Wanted>, Refusal> {
        answer(call.decode()?, reply)
    }

    fn missed<'c>(
        &mut self,
        wanted: Wanted,
        count: u32,
        reply: ReplyStream<'c, Wanted>,
    ) -> Result<Outcome<'c, Wanted>, Refusal> {
        missed(wanted, count, reply)
    }
}

/// Answers a call.
pub fn answer<'c, C: Copy + From<Wanted>>(
    methods: Methods<'_>,
    reply: Responder<'c, C>,
) -> Result<Outcome<'c, C>, Refusal> {
    match methods {
        Methods::Monitor(Subscribe { subsystem }) => {
            let wanted = Wanted::new(subsystem);
            let wanted = wanted.ok_or(Refusal::invalid_parameter("subsystem"))?;
            let reply = reply.stream()?;
            reply.subscribe_with(&Report::default(), TOPIC, Lagging::Skip, wanted.into())
        }
        Methods::Trigger(Trigger { devpath, action }) => match trigger(devpath, action) {
            Ok(()) => Ok(reply.send(&())?),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(reply.error(&Error::NoSuchDevice { devpath })?),
            Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Err(Refusal::PermissionDenied),
            Err(_) => Err(Refusal::invalid_parameter("devpath")),
        },
    }
}

/// Tells a client how many uevents it has missed.
pub fn missed<'c, C: Copy + From<Wanted>>(
    wanted: Wanted,
    count: u32,
    reply: ReplyStream<'c, C>,
) -> Result<Outcome<'c, C>, Refusal> {
    reply.subscribe_with(&Report::lost(count), TOPIC, Lagging::Skip, wanted.into())
}

/// Writes an action into the file `uevent` of a device. (The definition has seen to it that it is
/// an action.)
fn trigger(devpath: &str, action: &str) -> Result<(), Errno> {
    let mut path = String::<512>::new();
    let mut parts = devpath.as_bytes().split(|byte| *byte == b'/');
    if !devpath.starts_with('/') || parts.any(|part| part == b"..") {
        return Err(Errno::INVAL);
    }
    for part in ["/sys", devpath, "/uevent"] {
        path.push_str(part).map_err(|_| Errno::NAMETOOLONG)?;
    }
    let file = open(
        path.as_str(),
        OFlags::WRONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    write(&file, action.as_bytes()).map(drop)
}

/// Serves; if there is a limit, until there is no client for so long.
///
/// # Errors
///
/// What the system says.
pub fn serve(
    source: Activated,
    exit: Option<Duration>,
    clock: fn() -> u64,
    slots: &mut Slots<CLIENTS, 1024, REPLY>,
) -> Result<(), unix::Error> {
    let mut server = Server::new(source, slots);
    server.set_clock(clock);
    server.set_limits(Limits {
        exit,
        ..Limits::default()
    });
    watch(&mut server)?;
    loop {
        match server.serve(&mut Monitor)? {
            server::Event::Ready(UEVENTS) => forward(&mut server)?,
            server::Event::Idle => return Ok(()),
            _ => {}
        }
    }
}

/// Has a server watch for uevents, under the number [`UEVENTS`].
///
/// # Errors
///
/// What the system says.
pub fn watch<C: Copy, const CONNECTIONS: usize>(
    server: &mut Server<'_, C, CONNECTIONS>,
) -> Result<(), unix::Error> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        Some(netlink::KOBJECT_UEVENT),
    )?;
    // Root may have as much as it wants; anybody else what the system allows.
    if set_socket_recv_buffer_size_force(&socket, BACKLOG).is_err() {
        let _ = set_socket_recv_buffer_size(&socket, BACKLOG);
    }
    // Group 1 is the kernel's. (Group 2 is udev's.)
    bind(&socket, &SocketAddrNetlink::new(0, 1))?;
    server
        .watch(socket, PollFlags::IN, UEVENTS)
        .map_err(|NoPlace| Errno::NOBUFS.into())
}

/// Receives one uevent, and has it told to those who wait for it. (Only one: it is on its way to
/// them before the next comes, so that nobody misses anything who reads in time.)
///
/// # Errors
///
/// What the system says.
pub fn forward<C: Copy, const CONNECTIONS: usize>(
    server: &mut Server<'_, C, CONNECTIONS>,
) -> Result<(), unix::Error>
where
    Wanted: TryFrom<C>,
{
    let mut message = [0; UEVENT];
    let Some(socket) = server.watched(UEVENTS) else {
        return Ok(());
    };
    let received = retry_on_intr(|| recvfrom(socket, &mut message, RecvFlags::TRUNC));
    match received {
        Ok((_, length, sender)) => {
            let sender = sender.map(SocketAddrNetlink::try_from);
            // Others are other processes, which can send to this one alone.
            if sender.is_some_and(|sender| sender.is_ok_and(|sender| sender.pid() == 0)) {
                // (One that is longer has lost its end.)
                publish(server, message.get(..length).unwrap_or_default());
            }
            Ok(())
        }
        // The kernel could keep no more for this program: netlink(7).
        Err(Errno::NOBUFS) => {
            lose(server, |_| true);
            Ok(())
        }
        Err(Errno::AGAIN) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Has a uevent told to those who wait for it, as it comes from the kernel.
pub fn publish<C: Copy, const CONNECTIONS: usize>(
    server: &mut Server<'_, C, CONNECTIONS>,
    message: &[u8],
) where
    Wanted: TryFrom<C>,
{
    let Some(event) = Event::parse(message) else {
        return lose(server, |_| true);
    };
    let subsystem = event.subsystem;
    let wanted = |cursor: C| Wanted::try_from(cursor).is_ok_and(|wanted| wanted.is(subsystem));
    let report = Report {
        event: Some(event),
        lost: None,
    };
    if server.publish_where(TOPIC, &report, wanted).is_err() {
        // It is too long.
        lose(server, wanted);
    }
}

/// Has those told who may have waited for it that something is lost.
fn lose<C: Copy, const CONNECTIONS: usize>(
    server: &mut Server<'_, C, CONNECTIONS>,
    wanted: impl FnMut(C) -> bool,
) {
    // (This is never too long.)
    let _ = server.publish_where(TOPIC, &Report::lost(1), wanted);
}

#[cfg(test)]
mod tests {
    use nullink::json::encode;
    use proptest::prelude::{any, prop_assert, proptest};

    use super::*;

    const LO: &str = "add@/devices/virtual/net/lo\0ACTION=add\0DEVPATH=/devices/virtual/net/lo\0\
        SUBSYSTEM=net\0INTERFACE=lo\0IFINDEX=1\0SEQNUM=802\0";

    #[test]
    fn a_uevent_is_read() {
        let event = Event::parse(LO.as_bytes()).unwrap();
        assert_eq!((event.action, event.sequence), ("add", 802));
        assert_eq!(event.devpath, "/devices/virtual/net/lo");
        assert_eq!(event.subsystem, Some("net"));
        let properties = [("INTERFACE", "lo"), ("IFINDEX", "1")];
        assert!(
            event
                .properties
                .iter()
                .map(|(k, v)| (*k, *v))
                .eq(properties)
        );

        let event = Event::parse(b"bind@/a@b\0SEQNUM=1\0").unwrap();
        assert_eq!((event.devpath, event.subsystem), ("/a@b", None));
    }

    #[test]
    fn what_is_no_uevent_is_none() {
        for message in [
            &b""[..],
            b"\0",
            b"add@/a\0",
            b"add@/a\0SEQNUM=1",
            b"add\0SEQNUM=1\0",
            b"add@/\xff\0SEQNUM=1\0",
            b"add@/a\0SEQNUM=\0",
            b"add@/a\0SEQNUM=x\0",
            b"add@/a\0SEQNUM=9223372036854775808\0",
            b"libudev\0\xfe\xed\xca\xfe\0SEQNUM=1\0",
        ] {
            assert_eq!(Event::parse(message), None, "{}", message.escape_ascii());
        }
    }

    #[test]
    fn properties_that_make_no_sense_are_left_out() {
        let message = b"add@/a\0SEQNUM=1\0A=1\0B=\xff\0\xff=1\0C\0\0D=\0E=e=f\0A=2\0";
        let event = Event::parse(message).unwrap();
        let properties = [("A", "2"), ("D", ""), ("E", "e=f")];
        assert!(
            event
                .properties
                .iter()
                .map(|(k, v)| (*k, *v))
                .eq(properties)
        );
    }

    #[test]
    fn there_may_be_as_many_properties_as_the_kernel_has_room_for() {
        let with = |count: usize| {
            let properties = (0..count).map(|i| std::format!("K{i}=\0"));
            std::format!(
                "add@/a\0SEQNUM=1\0{}",
                properties.collect::<std::string::String>()
            )
        };
        let message = with(PROPERTIES);
        let event = Event::parse(message.as_bytes()).unwrap();
        assert_eq!(event.properties.len(), PROPERTIES);
        assert_eq!(Event::parse(with(PROPERTIES + 1).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_not(
            head in "[a-z]{0,3}@?/?[\\PC]{0,9}",
            tail in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let message = [head.as_bytes(), b"\0SEQNUM=7\0", &tail, b"\0"].concat();
            if let Some(event) = Event::parse(&message) {
                let mut room = [0; 4096];
                let text = encode(&event, &mut room).unwrap();
                let value: serde_json::Value = serde_json::from_str(text).unwrap();
                prop_assert!(value["properties"].is_object());
            }
        }
    }
}
