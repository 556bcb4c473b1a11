//! The service `org.example.uevents`: sends the kernel's uevents to its clients.
//!
//! The kernel sends uevents over netlink: netlink(7), `NETLINK_KOBJECT_UEVENT`. A [`Server`]
//! watches a netlink socket together with its clients, and [`Uevents`] keeps the last messages. The
//! call of a client is parked with a [`Subscription`], which has the number of the client's next
//! uevent.
//!
//! A service with further interfaces uses [`answer`] and [`resume`] in place of [`Monitor`], with a
//! cursor type that can be made from a [`Subscription`].

use core::ops::Range;
use core::str;
use core::time::Duration;

use heapless::{LinearMap, String};
use nullink::Method;
use nullink::activation::Activated;
use nullink::server::{self, Interest, Limits, Server, Slots};
use nullink::{Answer, Call, Info, Interface, Refusal, Responder, Service, interface, unix};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, retry_on_intr, write};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recvfrom, socket_with};
use serde::{Deserialize, Serialize};

/// The number of clients that can be connected at once.
pub const CLIENTS: usize = 16;

/// The length of the longest uevent. The kernel has 2 KiB for the properties
/// (`UEVENT_BUFFER_SIZE`), and repeats the path of the device before them.
pub const UEVENT: usize = 4096;

/// The length of the longest reply: quotes and escapes make a uevent longer.
pub const REPLY: usize = 2 * UEVENT;

/// The length of a send buffer. A reply has half of it.
pub const SEND: usize = 2 * REPLY;

/// The largest number of properties of a uevent: `UEVENT_NUM_ENVP`.
const PROPERTIES: usize = 64;

/// The size of the socket's receive buffer, in bytes. A booting machine has thousands of uevents.
const BACKLOG: usize = 8 << 20;

/// The number of uevents that are received at a time, before clients are served.
const BATCH: usize = 16;

/// The number of uevents that are kept for slow clients.
const KEPT: usize = 256;

/// The number of bytes for the kept uevents. Most uevents are shorter than 240 bytes, so both
/// limits are reached at about the same time.
const KEPT_BYTES: usize = 60 * 1024;

/// The time that a client may be idle. A subscribed client may wait without limit, unless it has
/// closed its half of the connection: over TCP, nothing else shows that it is gone.
const IDLE: Duration = Duration::from_secs(120);

/// The number under which a server watches the netlink socket.
pub const UEVENTS: u32 = 0;

/// The topic of the calls that wait for uevents.
pub const TOPIC: u32 = 0;

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
    /// Parses a message of the kernel: `ACTION@DEVPATH`, and then any number of `KEY=VALUE`, each
    /// with a NUL at its end. Returns None for other messages.
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
                // These repeat the first part.
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

/// Splits a text at the first byte with this value. Returns None if a part is not UTF-8.
//
// `str::split_once` can panic.
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
    fn lost(count: u64) -> Self {
        Report {
            event: None,
            lost: Some(u32::try_from(count).unwrap_or(u32::MAX)),
        }
    }
}

/// An upper bound for the length of a reply without the text of its uevent.
const ENVELOPE: usize = 192;

/// True if a reply with this uevent fits into [`REPLY`] bytes, with all its escapes.
fn fits_reply(message: &[u8]) -> bool {
    let lengths = message.iter().map(|byte| match byte {
        // A property `K=V` and its NUL become `"K":"V",`.
        0 | b'=' => 3,
        1..0x20 => "\\u0000".len(),
        b'"' | b'\\' => 2,
        _ => 1,
    });
    lengths.sum::<usize>() <= REPLY.saturating_sub(ENVELOPE)
}

/// The methods, for the service and for its clients.
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

/// Selects the uevents of one subsystem, or all. It owns the name, because cursors are `Copy`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Filter {
    name: [u8; 32],
    /// The length of the name; None for all subsystems.
    length: Option<usize>,
}

impl Filter {
    /// Returns None for a name that is too long for a subsystem.
    fn new(subsystem: Option<&str>) -> Option<Self> {
        let mut name = [0; 32];
        let text = subsystem.unwrap_or_default().as_bytes();
        for (at, byte) in text.iter().enumerate() {
            *name.get_mut(at)? = *byte;
        }
        let length = subsystem.map(str::len);
        Some(Filter { name, length })
    }

    fn wants(&self, subsystem: Option<&str>) -> bool {
        match (self.length, subsystem) {
            (None, _) => true,
            (Some(length), Some(name)) => self.name.get(..length) == Some(name.as_bytes()),
            (Some(_), None) => false,
        }
    }
}

/// The cursor of a subscribed client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Subscription {
    filter: Filter,
    /// The number of the next uevent to check: see [`Uevents`].
    next: u64,
}

/// The last uevents, as received from the kernel. They are numbered consecutively.
///
/// It is all zero at first, so that a `static` takes no space in the program's file.
pub struct Uevents {
    bytes: [u8; KEPT_BYTES],
    /// Where the uevents are in `bytes`. The index is a uevent's number modulo [`KEPT`].
    places: [Place; KEPT],
    /// The number of the oldest kept uevent.
    oldest: u64,
    /// The number that the next uevent gets.
    next: u64,
    /// The end of the newest uevent in `bytes`.
    end: usize,
}

#[derive(Clone, Copy)]
struct Place {
    start: usize,
    length: usize,
}

/// The message that is kept in place of a lost uevent. It does not parse as a uevent.
const LOST: &[u8] = b"\0";

impl Uevents {
    pub const fn new() -> Self {
        Uevents {
            bytes: [0; KEPT_BYTES],
            places: [Place {
                start: 0,
                length: 0,
            }; KEPT],
            oldest: 0,
            next: 0,
            end: 0,
        }
    }

    /// Receives uevents from the kernel, up to [`BATCH`] of them. If more are pending, the socket
    /// stays readable.
    ///
    /// # Errors
    ///
    /// Fails after an error that a netlink socket does not have in use. It could stay, so the
    /// socket should be opened again.
    fn receive(&mut self, socket: impl AsFd) -> Result<(), Errno> {
        let mut message = [0; UEVENT];
        for _ in 0..BATCH {
            match retry_on_intr(|| recvfrom(&socket, &mut message, RecvFlags::TRUNC)) {
                Ok((_, length, sender)) => {
                    let sender = sender.map(SocketAddrNetlink::try_from);
                    // Port 0 is the kernel. Other processes can also send to this socket.
                    if sender.is_some_and(|sender| sender.is_ok_and(|sender| sender.pid() == 0)) {
                        let whole = message.get(..length).filter(|bytes| !bytes.is_empty());
                        // A message that is longer than the buffer was truncated.
                        self.push(whole.unwrap_or(LOST));
                    }
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => {
                    // ENOBUFS: the receive buffer was full, netlink(7). After other errors too,
                    // uevents may be lost.
                    self.push(LOST);
                    return if errno == Errno::NOBUFS {
                        Ok(())
                    } else {
                        Err(errno)
                    };
                }
            }
        }
        Ok(())
    }

    /// Keeps another uevent. It overwrites the oldest ones if there is no space left.
    pub fn push(&mut self, message: &[u8]) {
        debug_assert!((1..=UEVENT).contains(&message.len()));
        let mut start = self.end;
        if KEPT_BYTES.saturating_sub(start) < message.len() {
            // A uevent must be contiguous, so the bytes at the end stay unused this time.
            self.forget(start..KEPT_BYTES);
            start = 0;
        }
        self.end = start.saturating_add(message.len());
        self.forget(start..self.end);
        if self.next.saturating_sub(self.oldest) >= KEPT as u64 {
            self.oldest = self.oldest.saturating_add(1);
        }
        let bytes = self.bytes.get_mut(start..);
        if let (Some(bytes), Some(place)) = (bytes, self.places.get_mut(index(self.next))) {
            // `copy_from_slice` can panic.
            for (to, from) in bytes.iter_mut().zip(message) {
                *to = *from;
            }
            *place = Place {
                start,
                length: message.len(),
            };
            self.next = self.next.saturating_add(1);
        }
    }

    /// Drops the oldest uevents, up to the first that does not start in this range.
    fn forget(&mut self, range: Range<usize>) {
        while let Some(place) = self.place(self.oldest)
            && range.contains(&place.start)
        {
            self.oldest = self.oldest.saturating_add(1);
        }
    }

    fn place(&self, number: u64) -> Option<Place> {
        let is_kept = (self.oldest..self.next).contains(&number);
        self.places.get(index(number)).copied().filter(|_| is_kept)
    }

    fn get(&self, number: u64) -> Option<&[u8]> {
        let Place { start, length } = self.place(number)?;
        self.bytes.get(start..)?.get(..length)
    }

    /// Returns a subscription to all further uevents.
    fn subscribe(&self, filter: Filter) -> Subscription {
        Subscription {
            filter,
            next: self.next,
        }
    }

    /// Returns the next report for a client, if there is one, and the subscription to continue
    /// with.
    fn next_report(&self, mut subscription: Subscription) -> (Option<Report<'_>>, Subscription) {
        let overwritten = self.oldest.saturating_sub(subscription.next);
        if overwritten > 0 {
            subscription.next = self.oldest;
            return (Some(Report::lost(overwritten)), subscription);
        }
        while let Some(message) = self.get(subscription.next) {
            subscription.next = subscription.next.saturating_add(1);
            let report = match Event::parse(message) {
                Some(event) if !subscription.filter.wants(event.subsystem) => continue,
                Some(event) if fits_reply(message) => Report {
                    event: Some(event),
                    lost: None,
                },
                _ => Report::lost(1),
            };
            return (Some(report), subscription);
        }
        (None, subscription)
    }
}

/// Returns the index of a uevent's number in [`Uevents::places`].
fn index(number: u64) -> usize {
    (number % KEPT as u64) as usize
}

/// The service.
pub struct Monitor {
    pub uevents: Uevents,
}

impl Service<Subscription> for Monitor {
    const INTERFACES: &'static [Interface] = &[INTERFACE];

    fn info(&self) -> Info<'_> {
        Info {
            vendor: "Nullink",
            product: "Monitor",
            version: env!("CARGO_PKG_VERSION"),
            url: "https://varlink.org",
        }
    }

    /// Lets all users subscribe, as the kernel does. Only root may make the kernel send uevents.
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
        reply: Responder<'c, Subscription>,
    ) -> Answer<'c, Subscription> {
        answer(&self.uevents, call.decode()?, reply)
    }

    fn resume<'c>(
        &mut self,
        subscription: Subscription,
        reply: Responder<'c, Subscription>,
    ) -> Answer<'c, Subscription> {
        resume(&self.uevents, subscription, reply)
    }
}

/// Answers a call of the interface.
pub fn answer<'c, C: From<Subscription>>(
    uevents: &Uevents,
    methods: Methods<'_>,
    reply: Responder<'c, C>,
) -> Answer<'c, C> {
    match methods {
        Methods::Monitor(Subscribe { subsystem }) => {
            let filter = Filter::new(subsystem);
            let filter = filter.ok_or(Refusal::invalid_parameter("subsystem"))?;
            let subscription = uevents.subscribe(filter);
            let reply = reply.more()?.next(&Report::default())?;
            reply.park(TOPIC, subscription.into())
        }
        Methods::Trigger(Trigger { devpath, action }) => match trigger(devpath, action) {
            Ok(()) => reply.send(&()),
            Err(Errno::NOENT | Errno::NOTDIR) => reply.error(&Error::NoSuchDevice { devpath }),
            Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Err(Refusal::PermissionDenied),
            Err(_) => Err(Refusal::invalid_parameter("devpath")),
        },
    }
}

/// Sends the next report to a client, or parks its call until there is one.
pub fn resume<'c, C: From<Subscription>>(
    uevents: &Uevents,
    subscription: Subscription,
    reply: Responder<'c, C>,
) -> Answer<'c, C> {
    let reply = reply.more()?;
    match uevents.next_report(subscription) {
        (Some(report), subscription) => reply.next(&report)?.then(subscription.into()),
        (None, subscription) => reply.park(TOPIC, subscription.into()),
    }
}

/// Writes an action to the file `uevent` of a device. The action was checked by the definition.
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

/// The program's buffers, all zero at first.
pub struct Room {
    slots: Slots<CLIENTS, 1024, SEND>,
    monitor: Monitor,
}

impl Room {
    pub const fn new() -> Self {
        Room {
            slots: Slots::new(),
            monitor: Monitor {
                uevents: Uevents::new(),
            },
        }
    }
}

/// Serves. With the limit `exit`, returns when there was no client for that time.
///
/// # Errors
///
/// Fails if a system call fails.
pub fn serve(
    source: Activated,
    exit: Option<Duration>,
    clock: fn() -> u64,
    room: &mut Room,
) -> Result<(), unix::IoError> {
    let Room { slots, monitor } = room;
    let socket = open_socket();
    let mut socket =
        socket.map_err(|errno| unix::IoError::from_raw_os_error(errno.raw_os_error()))?;
    let mut server = Server::new(source, slots)?;
    server.set_clock(clock);
    server.set_limits(Limits {
        exit,
        idle: Some(IDLE),
        ..Limits::default()
    })?;
    server.watch(&socket, Interest::Readable, UEVENTS)?;
    loop {
        match server.serve(monitor)? {
            server::Event::Ready(UEVENTS) => {
                receive(&mut server, &mut monitor.uevents, &mut socket);
            }
            server::Event::Idle => return Ok(()),
            _ => {}
        }
    }
}

/// Receives uevents from the socket that the server watches, and wakes the calls that wait for
/// them. After an unusual error, the clients are told of lost uevents, and the socket is opened
/// again: the error could stay, and make it readable without end.
pub fn receive<C: Copy, const CONNECTIONS: usize>(
    server: &mut Server<'_, C, CONNECTIONS>,
    uevents: &mut Uevents,
    socket: &mut OwnedFd,
) {
    // If it cannot be opened again, the next attempt follows at once.
    if uevents.receive(&*socket).is_err()
        && let Ok(opened) = open_socket()
        && server.watch(&opened, Interest::Readable, UEVENTS).is_ok()
    {
        // This cannot fail: it was watched.
        let _ = server.unwatch(socket);
        *socket = opened;
    }
    server.wake(TOPIC);
}

/// Opens a socket that receives uevents.
///
/// # Errors
///
/// Fails if a system call fails.
pub fn open_socket() -> Result<OwnedFd, Errno> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        Some(netlink::KOBJECT_UEVENT),
    )?;
    // Only root may exceed the system's limit.
    if set_socket_recv_buffer_size_force(&socket, BACKLOG).is_err() {
        let _ = set_socket_recv_buffer_size(&socket, BACKLOG);
    }
    // Group 1 has the messages of the kernel, group 2 those of udev.
    bind(&socket, &SocketAddrNetlink::new(0, 1))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    use nullink::json::encode;

    use super::*;

    const LO: &str = "add@/devices/virtual/net/lo\0ACTION=add\0DEVPATH=/devices/virtual/net/lo\0\
        SUBSYSTEM=net\0INTERFACE=lo\0IFINDEX=1\0SEQNUM=802\0";

    #[test]
    fn a_uevent_is_parsed() {
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
    fn other_messages_are_not_uevents() {
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
    fn malformed_properties_are_left_out() {
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
    fn as_many_properties_are_parsed_as_the_kernel_allows() {
        let with = |count: usize| {
            let properties = (0..count).map(|i| format!("K{i}=\0"));
            format!("add@/a\0SEQNUM=1\0{}", properties.collect::<String>())
        };
        let message = with(PROPERTIES);
        let event = Event::parse(message.as_bytes()).unwrap();
        assert_eq!(event.properties.len(), PROPERTIES);
        assert_eq!(Event::parse(with(PROPERTIES + 1).as_bytes()), None);
    }

    /// Returns a message of `length` bytes that begins with its number.
    fn message(number: usize, length: usize) -> Vec<u8> {
        let mut message = std::vec![b'x'; length];
        message
            .iter_mut()
            .zip(number.to_le_bytes())
            .for_each(|(to, from)| *to = from);
        message
    }

    /// Random numbers from a seed: xorshift*.
    struct Random(u64);

    impl Random {
        /// Returns a number below `limit`.
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
            usize::try_from(mixed).unwrap() % limit
        }

        /// Returns a text of fewer than `limit` of these characters.
        fn text(&mut self, characters: &str, limit: usize) -> String {
            let characters: Vec<char> = characters.chars().collect();
            let length = self.below(limit);
            let next = |_| characters[self.below(characters.len())];
            (0..length).map(next).collect()
        }
    }

    #[test]
    fn the_newest_uevents_are_kept_whole_and_in_order() {
        for seed in 1..200 {
            let mut random = Random(seed);
            let count = 1 + random.below(599);
            let lengths: Vec<usize> = (0..count).map(|_| 1 + random.below(UEVENT)).collect();
            let mut uevents = std::boxed::Box::new(Uevents::new());
            for (number, length) in lengths.iter().enumerate() {
                uevents.push(&message(number, *length));
                assert_eq!(uevents.next, number as u64 + 1, "{seed}");
                // At both ends, the unused space is less than one message.
                let kept = &lengths[uevents.oldest as usize..=number];
                let bytes = kept.iter().sum::<usize>();
                let is_full = kept.len() == KEPT || bytes > KEPT_BYTES - 2 * UEVENT;
                assert!(uevents.oldest == 0 || is_full, "{seed}");
            }
            assert_eq!(uevents.get(uevents.next), None);
            for number in uevents.oldest..uevents.next {
                let expected = message(number as usize, lengths[number as usize]);
                assert_eq!(uevents.get(number), Some(&expected[..]), "{seed}");
            }
            if let Some(overwritten) = uevents.oldest.checked_sub(1) {
                assert_eq!(uevents.get(overwritten), None, "{seed}");
            }
        }
    }

    #[test]
    fn a_reply_fits_if_fits_reply_says_so() {
        let (mut fit, mut seeds) = (0, 0);
        for seed in 1..500 {
            let mut random = Random(seed);
            let limit = 1 + random.below(900);
            let path = random.text("a\u{1}\"\\", limit);
            let count = random.below(64);
            let property = |_| {
                let name = random.text("ABCXYZ", 4);
                format!("A{name}={}\0", random.text("=\u{1}\t\"\\aé", 60))
            };
            let properties: String = (0..count).map(property).collect();
            let message = format!(
                "unbind@{path}\0SUBSYSTEM={path}\0SEQNUM=-9223372036854775808\0{properties}"
            );
            let event = Event::parse(message.as_bytes()).expect("an event");
            seeds += 1;
            if fits_reply(message.as_bytes()) {
                fit += 1;
                // The rest of the reply: `{"continues":true,"parameters":}` and a NUL.
                let mut room = [0; REPLY - 33];
                let (event, lost) = (Some(event), None);
                assert!(encode(&Report { event, lost }, &mut room).is_ok(), "{seed}");
            }
        }
        assert!(fit > 50 && fit < seeds, "{fit} of {seeds}");
    }

    #[test]
    fn arbitrary_messages_do_not_panic() {
        let mut parsed = 0;
        for seed in 1..2000 {
            let mut random = Random(seed);
            let head = random.text("az@/é\u{1f600}\u{7f} =", 12);
            let head = ["", "a", "add@", "add@/"][random.below(4)].to_owned() + &head;
            let length = random.below(200);
            let tail: Vec<u8> = (0..length)
                .map(|_| match random.below(4) {
                    0 => b'\0',
                    1 => b'=',
                    _ => random.below(256).to_le_bytes()[0],
                })
                .collect();
            let message = [head.as_bytes(), b"\0SEQNUM=7\0", &tail, b"\0"].concat();
            if let Some(event) = Event::parse(&message) {
                parsed += 1;
                let mut room = [0; 4096];
                let text = encode(&event, &mut room).unwrap();
                let value: serde_json::Value = serde_json::from_str(text).unwrap();
                assert!(value["properties"].is_object(), "{seed}");
            }
        }
        assert!(parsed > 500, "{parsed}");
    }
}
