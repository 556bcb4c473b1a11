//! Conversations over a socket.
//!
//! Only the connection is made with the library under test. Everything else is done with system
//! calls, so that the suite does not depend on the code that it checks.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::net::ToSocketAddrs;
use std::os::unix::fs::FileTypeExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nullink::Address;
use nullink::unix::{Stream, Timeouts};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut, ioctl_fionbio, retry_on_intr};
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, recvmsg, sendmsg, shutdown,
};

use super::service::{End, Need, Piece, Scene, Transcript, Transport};

/// A service at an address.
pub struct Wire {
    pub address: String,
    pub timeout: Duration,
    pub limit: Option<usize>,
    /// The command that starts the service, and its process.
    pub service: Option<Started>,
}

/// A service that the tool starts, and starts again when it has ended.
pub struct Started {
    command: Vec<String>,
    child: Option<Child>,
}

impl Started {
    pub fn new(command: Vec<String>) -> Self {
        let child = None;
        Started { command, child }
    }

    fn is_running(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn start(&mut self) -> Result<(), String> {
        let (program, arguments) = self.command.split_first().ok_or("an empty command")?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.child = Some(
            command
                .spawn()
                .map_err(|error| format!("{program}: {error}"))?,
        );
        Ok(())
    }
}

impl Started {
    fn stop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Wire {
    /// Starts the service if the tool must do so, and waits until it accepts connections.
    pub fn ready(&mut self) -> Result<(), String> {
        let Some(service) = &mut self.service else {
            return self.connect().map(drop);
        };
        // A service that is about to end still runs, but does not listen.
        if service.is_running() && self.connect().is_ok() {
            return Ok(());
        }
        if let Some(service) = &mut self.service {
            service.stop();
        }
        self.remove_stale_socket();
        if let Some(service) = &mut self.service {
            service.start()?;
        }
        let deadline = Instant::now() + self.timeout;
        loop {
            match self.connect() {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    fn connect(&self) -> Result<OwnedFd, String> {
        if self.address.starts_with("device:") {
            return Err("a device has no connections that end, which most checks need".into());
        }
        let limit = Some(self.timeout);
        let timeouts = Timeouts {
            connect: limit,
            send: limit,
            reply: limit,
        };
        // The library looks names up only with the feature std.
        let stream = match Address::parse(&self.address) {
            Ok(Address::TcpName(name)) => {
                let address = name.to_socket_addrs().ok().and_then(|mut all| all.next());
                let address = address.ok_or("cannot connect: the host has no address")?;
                Stream::connect_with(&format!("tcp:{address}"), timeouts)
            }
            _ => Stream::connect_with(&self.address, timeouts),
        };
        let stream = stream.map_err(|error| format!("cannot connect: {error}"))?;
        let descriptor = OwnedFd::from(stream);
        ioctl_fionbio(&descriptor, true).map_err(|error| error.to_string())?;
        Ok(descriptor)
    }

    /// Removes the socket of a service that was killed. Some services do not replace it.
    fn remove_stale_socket(&self) {
        let Ok(Address::Unix(path)) = Address::parse(&self.address) else {
            return;
        };
        let is_socket = std::fs::metadata(path).is_ok_and(|data| data.file_type().is_socket());
        if is_socket && self.connect().is_err() {
            let _ = std::fs::remove_file(path);
        }
    }

    fn is_unix(&self) -> bool {
        !self.address.starts_with("tcp:")
    }
}

impl Transport for Wire {
    fn talk(&mut self, scene: &Scene) -> Transcript {
        let failed = |error| Transcript {
            messages: Vec::new(),
            rest: Vec::new(),
            end: End::Failed(error),
            descriptors: 0,
        };
        // A service that has ended is a failure of the scene before, which was reported there.
        if self.service.is_some()
            && !scene.what.is_empty()
            && let Err(error) = self.ready()
        {
            return failed(error);
        }
        // Some services read byte by byte.
        let extra = Duration::from_millis(scene.length() as u64 / 50);
        let deadline = Instant::now() + self.timeout + extra;
        let mut other = None;
        if let Some(bytes) = &scene.beside {
            match self.connect() {
                Ok(descriptor) => other = Some(Connection::new(descriptor, deadline)),
                Err(error) => return failed(error),
            }
            if let Some(other) = &mut other {
                other.send_what_fits(bytes);
            }
        }
        let mut connection = match self.connect() {
            Ok(descriptor) => Connection::new(descriptor, deadline),
            Err(error) => return failed(error),
        };
        let end = connection.talk(scene);
        drop(other);
        let (messages, rest) = connection.messages();
        Transcript {
            messages,
            rest,
            end,
            descriptors: connection.descriptors,
        }
    }

    fn lacks(&self, need: Need) -> Option<&'static str> {
        match need {
            Need::Descriptors if !self.is_unix() => Some("descriptors need a Unix socket"),
            Need::Limit if self.limit.is_none() => {
                Some("the longest message of the service is not known: --limit BYTES")
            }
            _ => None,
        }
    }
}

/// The time after which a service that reads nothing is taken to wait for its client.
const STALL: Duration = Duration::from_millis(200);

struct Connection {
    descriptor: OwnedFd,
    deadline: Instant,
    received: Vec<u8>,
    descriptors: usize,
    /// True if the service has closed its side.
    is_closed: Cell<bool>,
    /// True if the service no longer reads.
    is_deaf: bool,
}

impl Connection {
    fn new(descriptor: OwnedFd, deadline: Instant) -> Self {
        Connection {
            descriptor,
            deadline,
            received: Vec::new(),
            descriptors: 0,
            is_closed: Cell::new(false),
            is_deaf: false,
        }
    }

    fn messages(&self) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut parts: Vec<Vec<u8>> = self
            .received
            .split(|b| *b == 0)
            .map(<[u8]>::to_vec)
            .collect();
        let rest = parts.pop().unwrap_or_default();
        (parts, rest)
    }

    fn talk(&mut self, scene: &Scene) -> End {
        if scene
            .pieces
            .iter()
            .any(|piece| matches!(piece, Piece::AwaitRead))
        {
            // The kernel makes it the smallest that it permits.
            let _ = set_socket_send_buffer_size(&self.descriptor, 0);
        }
        for piece in &scene.pieces {
            let goes_on = match piece {
                Piece::Send(bytes) => self.send(bytes, 0),
                Piece::Descriptors(bytes, count) => self.send(bytes, *count),
                Piece::Await(count) => {
                    let count = *count;
                    self.receive(|messages, _| messages.len() >= count) != End::TimedOut
                }
                Piece::AwaitRead => {
                    if !self.wait(PollFlags::OUT) {
                        return End::Unread;
                    }
                    true
                }
                Piece::HalfClose => {
                    let _ = shutdown(&self.descriptor, Shutdown::Write);
                    true
                }
                Piece::Leave => return End::Closed,
            };
            if !goes_on {
                return End::TimedOut;
            }
        }
        self.receive(|messages, rest| scene.is_done(messages, rest))
    }

    /// Waits for an event. False if there is none until the deadline.
    fn wait(&self, flags: PollFlags) -> bool {
        self.wait_for(
            flags,
            self.deadline.saturating_duration_since(Instant::now()),
        )
    }

    fn wait_for(&self, flags: PollFlags, left: Duration) -> bool {
        let Ok(left) = Timespec::try_from(left) else {
            return false;
        };
        let mut entries = [PollFd::new(&self.descriptor, flags)];
        retry_on_intr(|| poll(&mut entries, Some(&left))).is_ok_and(|count| count > 0)
    }

    /// Sends bytes, with descriptors at the first of them. False after the deadline.
    fn send(&mut self, bytes: &[u8], count: usize) -> bool {
        let mut pipes = Vec::new();
        for _ in 0..count {
            match rustix::pipe::pipe() {
                Ok((reader, _)) => pipes.push(reader),
                Err(_) => return false,
            }
        }
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_deaf {
            let attached: Vec<_> = match rest.len() == bytes.len() {
                true => pipes.iter().map(AsFd::as_fd).collect(),
                false => Vec::new(),
            };
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !attached.is_empty() {
                control.push(SendAncillaryMessage::ScmRights(&attached));
            }
            let flags = SendFlags::NOSIGNAL;
            match sendmsg(&self.descriptor, &[IoSlice::new(rest)], &mut control, flags) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    // A service may have to send before it reads on.
                    if !self.wait(PollFlags::OUT | PollFlags::IN) {
                        return false;
                    }
                    self.receive_what_there_is();
                    if self.is_closed.get() {
                        self.is_deaf = true;
                    }
                }
                Err(_) => self.is_deaf = true,
            }
        }
        true
    }

    /// Sends until the service has read nothing for some time.
    fn send_what_fits(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let mut control = SendAncillaryBuffer::default();
            let flags = SendFlags::NOSIGNAL;
            match sendmsg(&self.descriptor, &[IoSlice::new(rest)], &mut control, flags) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if self.wait_for(PollFlags::OUT, STALL) => {}
                Err(_) => return,
            }
        }
    }

    /// Receives until a condition holds, the end, or the deadline.
    fn receive(&mut self, is_done: impl Fn(&[Vec<u8>], &[u8]) -> bool) -> End {
        loop {
            let (messages, rest) = self.messages();
            if is_done(&messages, &rest) {
                return End::Done;
            }
            if self.is_closed.get() {
                return End::Closed;
            }
            if !self.wait(PollFlags::IN) {
                return End::TimedOut;
            }
            self.receive_what_there_is();
        }
    }

    fn receive_what_there_is(&mut self) {
        let mut buffer = [0; 64 * 1024];
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut slices = [IoSliceMut::new(&mut buffer)];
            let flags = RecvFlags::CMSG_CLOEXEC;
            match recvmsg(&self.descriptor, &mut slices, &mut control, flags) {
                Ok(message) => {
                    let count = message.bytes;
                    for message in control.drain() {
                        if let RecvAncillaryMessage::ScmRights(rights) = message {
                            self.descriptors += rights.count();
                        }
                    }
                    if count == 0 {
                        self.is_closed.set(true);
                        return;
                    }
                    self.received.extend_from_slice(&buffer[..count]);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => {
                    self.is_closed.set(true);
                    return;
                }
            }
        }
    }
}
