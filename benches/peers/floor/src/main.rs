//! The least that a service can do: waits, receives, and sends a fixed reply for each NUL.
//!
//! `floor poll|epoll PATH SIZE ESCAPED COUNT`

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};

use common::message;

/// The replies to one call, several times, and their length.
struct Replies {
    bytes: Vec<u8>,
    length: usize,
}

impl Replies {
    fn new(arguments: &common::Service) -> Self {
        let one = match arguments.count {
            0 => message("{\"parameters\":{\"pong\":\"", &arguments.text, "\"}}"),
            count => {
                let reply = message("{\"continues\":true,\"parameters\":{\"i\":12345", "", "}}");
                let mut stream = reply.repeat(count - 1);
                stream.extend(message("{\"parameters\":{\"i\":12345", "", "}}"));
                stream
            }
        };
        Replies {
            bytes: one.repeat(1 + (1 << 16) / one.len()),
            length: one.len(),
        }
    }

    /// Receives once and answers. Returns false at the end of the connection.
    fn serve(&self, mut stream: &UnixStream, buffer: &mut [u8]) -> bool {
        let Ok(length @ 1..) = stream.read(buffer) else {
            return false;
        };
        let mut left = memchr::memchr_iter(0, &buffer[..length]).count() * self.length;
        while left > 0 {
            let now = left.min(self.bytes.len());
            if stream.write_all(&self.bytes[..now]).is_err() {
                return false;
            }
            left -= now;
        }
        true
    }
}

fn main() {
    let kind = std::env::args().nth(1);
    let arguments = common::service(1);
    let listener = UnixListener::bind(&arguments.path).expect("a socket");
    listener.set_nonblocking(true).expect("a flag");
    let replies = Replies::new(&arguments);
    let buffer = vec![0; 1 << 18];
    match kind.as_deref() {
        Some("poll") => with_poll(&listener, &replies, buffer),
        Some("epoll") => with_epoll(&listener, &replies, buffer),
        other => panic!("{other:?} is not poll or epoll"),
    }
}

fn accept(listener: &UnixListener) -> Option<UnixStream> {
    match listener.accept() {
        Ok((stream, _)) => Some(stream),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

fn with_poll(listener: &UnixListener, replies: &Replies, mut buffer: Vec<u8>) {
    let interest = |fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let mut polled = vec![interest(listener.as_raw_fd())];
    let mut clients = Vec::new();
    loop {
        // SAFETY: the pointer and the length are those of the vector.
        let mut ready =
            unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, -1) };
        assert!(ready > 0);
        // From the end, so that removing the current one moves only the later ones.
        for index in (0..polled.len()).rev() {
            if polled[index].revents == 0 {
                continue;
            }
            if index == 0 {
                while let Some(stream) = accept(listener) {
                    polled.push(interest(stream.as_raw_fd()));
                    clients.push(stream);
                }
            } else if !replies.serve(&clients[index - 1], &mut buffer) {
                clients.swap_remove(index - 1);
                polled.swap_remove(index);
            }
            ready -= 1;
            if ready == 0 {
                break;
            }
        }
    }
}

fn with_epoll(listener: &UnixListener, replies: &Replies, mut buffer: Vec<u8>) {
    // SAFETY: a plain system call.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    let add = |fd: i32| {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: fd as u64,
        };
        // SAFETY: the event is valid for the call.
        assert_eq!(0, unsafe {
            libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event)
        });
    };
    add(listener.as_raw_fd());
    let mut clients: Vec<Option<UnixStream>> = Vec::new();
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
    loop {
        // SAFETY: the pointer and the length are those of the array.
        let ready = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), 64, -1) };
        for event in &events[..usize::try_from(ready).expect("events")] {
            let fd = event.u64 as usize;
            if fd == listener.as_raw_fd() as usize {
                while let Some(stream) = accept(listener) {
                    let fd = stream.as_raw_fd();
                    add(fd);
                    clients.resize_with(clients.len().max(fd as usize + 1), || None);
                    clients[fd as usize] = Some(stream);
                }
            } else if let Some(stream) = &clients[fd]
                && !replies.serve(stream, &mut buffer)
            {
                clients[fd] = None;
            }
        }
    }
}
