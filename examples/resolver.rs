//! The service `org.varlink.resolver`: returns the addresses of services, and starts services on
//! demand. It is for systems without a service manager, such as an initramfs:
//!
//! ```sh
//! cargo run --example resolver SERVICES unix:/run/org.varlink.resolver
//! ```
//!
//! The file SERVICES has a line for each service: its interfaces, its address and, if a
//! connection starts the service, the program and its arguments. The resolver creates the sockets
//! of these programs when it starts. Only its own user can connect to a Unix socket. A program gets
//! its socket as sd_listen_fds(3) describes, and may end whenever it is not needed.
//!
//! ```text
//! # interfaces       address                        program
//! com.redhat.system  unix:/run/com.redhat.system
//! com.redhat.accounts,org.example.users unix:/run/accounts /usr/bin/accounts
//! ```

#[path = "shared/output.rs"]
#[allow(dead_code, unused_imports, unused_macros)] // only `complain` is used here
mod output;
#[path = "shared/process.rs"]
#[allow(dead_code)] // only `activated` and `start` are used here
mod process;

use std::convert::Infallible;
use std::process::{Child, ExitCode};
use std::time::{Duration, Instant};

use nullink::json::List;
use nullink::server::{self, Event, Interest, Limits, Slots};
use nullink::unix::fd::{AsFd, OwnedFd};
use nullink::unix::{self, Listener};
use nullink::{Address, Answer, Call, Info, Interface, Responder, Service, interface};
use output::complain;
use rustix::io::{fcntl_dupfd_cloexec, ioctl_fionbio};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const CLIENTS: usize = 16;

type Server<'b> = server::Server<'b, Infallible, CLIENTS>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("resolver: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let activated = process::activated()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(|argument| &argument[..]).collect();
    let (file, source) = match (&arguments[..], activated) {
        ([file], Some(activated)) => (file, activated),
        ([file, address], None) => {
            let listener = Listener::bind_with(address, Listener::EVERYBODY);
            let listener = listener.map_err(|error| format!("{address}: {error}"))?;
            (file, listener.into())
        }
        _ => return Err("usage: resolver SERVICES ADDRESS".into()),
    };
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let entries = Entry::parse_all(&text).map_err(|error| format!("{file}: {error}"))?;

    let mut slots = Slots::<CLIENTS, 4096, { 32 * 1024 }>::new();
    let mut server = Server::new(source, &mut slots)?;
    server.set_clock(unix::monotonic);
    let started = entries.iter().filter(|entry| !entry.program.is_empty());
    let mut started: Vec<Started> = started.map(Started::new).collect::<Result<_>>()?;
    if started.len() > Limits::MAX_TIMERS {
        let most = Limits::MAX_TIMERS;
        return Err(format!("{file}: no more than {most} services can be started").into());
    }
    for (service, number) in started.iter_mut().zip(0..) {
        service.listen(&mut server, number)?;
    }
    let mut resolver = Resolver { entries: &entries };
    loop {
        match server.serve(&mut resolver)? {
            Event::Ready(number) => started[number as usize].ready(&mut server, number)?,
            Event::Timer(number) => started[number as usize].listen(&mut server, number)?,
            Event::Idle => return Ok(()),
            _ => {}
        }
    }
}

/// A line of the configuration.
struct Entry<'t> {
    interfaces: &'t str,
    address: String,
    program: Vec<&'t str>,
}

impl<'t> Entry<'t> {
    fn parse(line: &'t str) -> Result<Self> {
        let mut words = line.split_whitespace();
        let (interfaces, address) = (words.next(), words.next());
        let address = address.ok_or("there is no address")?;
        let parsed = Address::parse(address).map_err(|error| format!("{address}: {error}"))?;
        let address = match parsed {
            // Clients in other languages may know only addresses with a scheme.
            Address::Unix(path) if path == address => format!("unix:{path}"),
            _ => address.into(),
        };
        Ok(Entry {
            interfaces: interfaces.unwrap_or_default(),
            address,
            program: words.collect(),
        })
    }

    fn parse_all(text: &'t str) -> Result<Vec<Self>> {
        let lines = text.lines().map(str::trim).zip(1..);
        let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
        let entries = lines.map(|(line, number)| {
            Entry::parse(line).map_err(|error| format!("line {number}: {error}").into())
        });
        entries.collect()
    }
}

/// The service.
struct Resolver<'t> {
    entries: &'t [Entry<'t>],
}

#[derive(Deserialize)]
enum Methods<'a> {
    GetInfo,
    Resolve { interface: &'a str },
}

#[derive(Serialize)]
struct Resolvable<'a, L> {
    vendor: &'a str,
    product: &'a str,
    version: &'a str,
    url: &'a str,
    interfaces: L,
}

#[derive(Serialize)]
struct Resolved<'a> {
    address: &'a str,
}

#[derive(Serialize)]
enum Error<'a> {
    InterfaceNotFound { interface: &'a str },
}

impl<'t> Resolver<'t> {
    /// Returns all interfaces with their addresses.
    fn all(&self) -> impl Iterator<Item = (&'t str, &'t str)> + Clone {
        self.entries.iter().flat_map(|entry| {
            let interfaces = entry.interfaces.split(',');
            interfaces.map(|interface| (interface, &entry.address[..]))
        })
    }
}

impl Service for Resolver<'_> {
    const INTERFACES: &'static [Interface] = &[interface!("shared/org.varlink.resolver.varlink")];

    fn info(&self) -> Info<'_> {
        Info {
            vendor: "Nullink",
            product: "Resolver",
            version: env!("CARGO_PKG_VERSION"),
            url: "https://varlink.org",
        }
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        match call.decode()? {
            Methods::GetInfo => {
                let Info {
                    vendor,
                    product,
                    version,
                    url,
                } = self.info();
                let interfaces = List(self.all().map(|(interface, _)| interface));
                reply.send(&Resolvable {
                    vendor,
                    product,
                    version,
                    url,
                    interfaces,
                })
            }
            Methods::Resolve { interface } => {
                let found = self.all().find(|(other, _)| *other == interface);
                let found = found.map(|(_, address)| Resolved { address });
                reply.result(&found.ok_or(Error::InterfaceNotFound { interface }))
            }
        }
    }
}

/// A service that is started by a connection.
struct Started<'t> {
    entry: &'t Entry<'t>,
    /// The listening socket. The server watches it while there is no process.
    socket: OwnedFd,
    /// The process, and its pidfd, which the server watches meanwhile.
    process: Option<(Child, OwnedFd)>,
    /// When the process was started last.
    began: Instant,
    /// The number of failures in a row: see [`SHORTEST_RUN`].
    failures: u32,
}

/// A program that ends sooner than this has failed: it may not have accepted the connection that
/// started it, and that connection would start it again immediately.
const SHORTEST_RUN: Duration = Duration::from_secs(1);

/// The pauses after failures, in milliseconds: the first one, which is doubled after each further
/// failure, and the longest one.
const BACK_OFF: (u64, u64) = (100, 10_000);

fn system_error(errno: rustix::io::Errno) -> unix::IoError {
    unix::IoError::from_raw_os_error(errno.raw_os_error())
}

impl<'t> Started<'t> {
    fn new(entry: &'t Entry<'t>) -> Result<Self> {
        let listener = Listener::bind(&entry.address);
        let listener = listener.map_err(|error| format!("{}: {error}", entry.address))?;
        let socket = listener
            .pollable()
            .ok_or("a service on a device cannot be started on demand")?;
        let socket = fcntl_dupfd_cloexec(socket, 0).map_err(system_error)?;
        Ok(Started {
            entry,
            socket,
            process: None,
            began: Instant::now(),
            failures: 0,
        })
    }

    /// Has the server watch the socket for a connection.
    fn listen(&mut self, server: &mut Server, number: u32) -> Result<()> {
        Ok(server.watch(&self.socket, Interest::Readable, number)?)
    }

    /// Starts the program because a client has connected, or handles the end of its process.
    fn ready(&mut self, server: &mut Server, number: u32) -> Result<()> {
        let name = self.entry.interfaces;
        match self.process.take() {
            None => {
                server.unwatch(&self.socket)?;
                self.began = Instant::now();
                match self.start() {
                    Ok((child, pidfd)) => {
                        complain(format_args!("{name}: started"));
                        server.watch(&pidfd, Interest::Readable, number)?;
                        self.process = Some((child, pidfd));
                        return Ok(());
                    }
                    Err(error) => complain(format_args!("{name}: {error}")),
                }
            }
            Some((mut process, pidfd)) => {
                server.unwatch(&pidfd)?;
                complain(format_args!("{name}: ended, {}", process.wait()?));
            }
        }
        if self.began.elapsed() >= SHORTEST_RUN {
            self.failures = 0;
            return self.listen(server, number);
        }
        let (first, longest) = BACK_OFF;
        let pause = longest.min(first << self.failures.min(16));
        self.failures += 1;
        complain(format_args!("{name}: can restart in {pause} ms"));
        Ok(server.set_timer(number, Some(pause))?)
    }

    /// Starts the program with its socket, and returns the process and a pidfd of it.
    fn start(&self) -> Result<(Child, OwnedFd)> {
        let (program, arguments) = self.entry.program.split_first().ok_or("no program")?;
        // Some programs need a blocking socket, and the previous one may have made it non-blocking.
        ioctl_fionbio(&self.socket, false).map_err(system_error)?;
        let mut child = process::start(program, arguments, self.socket.as_fd(), "varlink")?;
        let pid = Pid::from_raw(child.id().cast_signed()).ok_or("no process")?;
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Ok((child, pidfd)),
            Err(errno) => {
                let _ = (child.kill(), child.wait());
                Err(system_error(errno).into())
            }
        }
    }
}
