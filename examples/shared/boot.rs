//! `org.example.boot`: what the first program of an initramfs does for others. It also reports
//! uevents, as the example monitor does.

use core::mem;

use heapless::Vec;
use nullink::client::Method;
use nullink::service::{Info, Lagging, Outcome, Refusal, ReplyStream, Responder, Service};
use nullink::{Call, Interface, Mode, interface};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, unmount};
use serde::{Deserialize, Serialize};

use super::kernel::{self, Command, Failure, Text, failure};
use super::monitor::{self, Wanted};

/// How many programs that were started can run at once.
pub const RUNNING: usize = 16;

/// How many arguments a program can have.
const ARGUMENTS: usize = 16;

/// The topic of those who watch the state. (Uevents have 0.)
pub const STATE: u32 = 1;

/// The topic of those who wait for the end of a program is this and its pid.
const PROGRAM: u32 = 1 << 31;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Serving,
    SwitchingRoot,
    PoweringOff,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct State<'a> {
    pub phase: Phase,
    pub status: Option<&'a str>,
    pub modules: u32,
    pub running: usize,
    pub orphans: u32,
}

/// A reply to `GetState`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress<'a> {
    #[serde(borrow)]
    pub state: State<'a>,
    pub uptime: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exit {
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

/// A reply to `Start`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    pub pid: i32,
    pub exit: Option<Exit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Info,
    Debug,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    PowerOff,
    Reboot,
    Halt,
}

/// The methods, one definition for both sides.
#[derive(Deserialize)]
pub enum Methods<'a> {
    GetState,
    #[serde(borrow)]
    Report(Report<'a>),
    #[serde(borrow)]
    Log(Log<'a>),
    #[serde(borrow)]
    LoadModule(LoadModule<'a>),
    #[serde(borrow)]
    Mount(Mount<'a>),
    #[serde(borrow)]
    Unmount(Unmount<'a>),
    #[serde(borrow)]
    Copy(Copy<'a>),
    #[serde(borrow)]
    Start(Start<'a>),
    #[serde(borrow)]
    SwitchRoot(SwitchRoot<'a>),
    PowerOff(PowerOff),
}

/// Those of both interfaces.
#[derive(Deserialize)]
#[allow(clippy::large_enum_variant)] // there is nowhere else to put it
enum Calls<'a> {
    #[serde(rename = "org.example.boot", borrow)]
    Boot(Methods<'a>),
    #[serde(rename = "org.example.uevents", borrow)]
    Uevents(monitor::Methods<'a>),
}

#[derive(Serialize)]
pub struct GetState;

#[derive(Serialize, Deserialize)]
pub struct Report<'a> {
    pub status: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
pub struct Log<'a> {
    pub message: &'a str,
    pub level: Option<Level>,
}

#[derive(Serialize, Deserialize)]
pub struct LoadModule<'a> {
    pub path: &'a str,
    pub parameters: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
pub struct Mount<'a> {
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub target: &'a str,
    pub source: Option<&'a str>,
    pub options: Option<&'a str>,
    pub read_only: Option<bool>,
}

#[derive(Serialize, Deserialize)]
pub struct Unmount<'a> {
    pub target: &'a str,
}

#[derive(Serialize, Deserialize)]
pub struct Copy<'a> {
    pub from: &'a str,
    pub to: &'a str,
}

#[derive(Serialize, Deserialize)]
pub struct Start<'a> {
    pub path: &'a str,
    #[serde(borrow)]
    pub arguments: Option<Vec<&'a str, ARGUMENTS>>,
}

#[derive(Serialize, Deserialize)]
pub struct SwitchRoot<'a> {
    pub root: &'a str,
    pub path: &'a str,
    #[serde(borrow)]
    pub arguments: Option<Vec<&'a str, ARGUMENTS>>,
}

#[derive(Serialize, Deserialize)]
pub struct PowerOff {
    pub then: Option<Then>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum Error<'a> {
    Refused { call: &'a str, errno: i32 },
}

macro_rules! methods {
    ($($method:ty = $name:literal -> $output:ty;)*) => {
        $(impl Method for $method {
            const NAME: &'static str = concat!("org.example.boot.", $name);
            type Output<'r> = $output;
            type Error<'r> = Error<'r>;
        })*
    };
}

methods! {
    GetState = "GetState" -> Progress<'r>;
    Report<'_> = "Report" -> ();
    Log<'_> = "Log" -> ();
    LoadModule<'_> = "LoadModule" -> ();
    Mount<'_> = "Mount" -> ();
    Unmount<'_> = "Unmount" -> ();
    Copy<'_> = "Copy" -> ();
    Start<'_> = "Start" -> Started;
    SwitchRoot<'_> = "SwitchRoot" -> ();
    PowerOff = "PowerOff" -> ();
}

/// What only unsafe code can do. It is the program's.
#[derive(Clone, Copy)]
pub struct System {
    /// Milliseconds since the kernel has started.
    pub clock: fn() -> u64,
    /// A descriptor that is ready when a child has ended: signalfd(2).
    pub children: fn() -> Result<OwnedFd, Errno>,
    /// Starts a program, and says its pid: fork(2), execve(2).
    pub start: fn(&Command) -> Result<i32, Errno>,
    /// Becomes a program; returns why it could not.
    pub execute: fn(&Command) -> Errno,
}

/// What this program is about to end with.
#[allow(clippy::large_enum_variant)] // as above
pub enum Leave {
    SwitchRoot { root: Text, command: Command },
    PowerOff(Then),
}

/// What a client waits for.
#[derive(Clone, Copy)]
pub enum Cursor {
    State,
    Program,
    Uevents(Wanted),
}

impl From<Wanted> for Cursor {
    fn from(wanted: Wanted) -> Self {
        Cursor::Uevents(wanted)
    }
}

impl TryFrom<Cursor> for Wanted {
    type Error = ();

    fn try_from(cursor: Cursor) -> Result<Self, ()> {
        match cursor {
            Cursor::Uevents(wanted) => Ok(wanted),
            Cursor::State | Cursor::Program => Err(()),
        }
    }
}

/// The interface.
pub const INTERFACE: Interface = interface!("org.example.boot.varlink");

/// The service.
pub struct Boot {
    system: System,
    /// Whether this is the first program, which may turn the machine off, and switch its root.
    is_first: bool,
    status: Option<heapless::String<64>>,
    modules: u32,
    running: Vec<i32, RUNNING>,
    orphans: u32,
    leave: Option<Leave>,
    /// The state is another than those who watch it know.
    changed: bool,
}

impl Boot {
    pub const fn new(system: System, is_first: bool) -> Self {
        Boot {
            system,
            is_first,
            status: None,
            modules: 0,
            running: Vec::new(),
            orphans: 0,
            leave: None,
            changed: false,
        }
    }

    /// What only the program can do.
    pub fn system(&self) -> System {
        self.system
    }

    /// Whether this is the first program.
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    /// Whether the state is another than it was when this was asked last.
    pub fn has_changed(&mut self) -> bool {
        mem::take(&mut self.changed)
    }

    /// Whether it is about to end.
    pub fn is_leaving(&self) -> bool {
        self.leave.is_some()
    }

    /// What it is about to end with. If that fails, it goes on.
    pub fn leave(&mut self) -> Option<Leave> {
        self.changed = true;
        self.leave.take()
    }

    fn set_leave(&mut self, leave: Leave) {
        self.changed = true;
        self.leave = Some(leave);
    }

    pub fn progress(&self) -> Progress<'_> {
        Progress {
            state: State {
                phase: match &self.leave {
                    None => Phase::Serving,
                    Some(Leave::SwitchRoot { .. }) => Phase::SwitchingRoot,
                    Some(Leave::PowerOff(_)) => Phase::PoweringOff,
                },
                status: self.status.as_deref(),
                modules: self.modules,
                running: self.running.len(),
                orphans: self.orphans,
            },
            uptime: (self.system.clock)(),
        }
    }

    /// A process has ended. It is to be told under this topic, if somebody may want to know.
    pub fn ended(&mut self, pid: i32) -> Option<u32> {
        self.changed = true;
        match self.running.iter().position(|running| *running == pid) {
            Some(place) => {
                self.running.swap_remove(place);
                Some(topic(pid))
            }
            None => {
                self.orphans = self.orphans.saturating_add(1);
                None
            }
        }
    }

    pub fn load(&mut self, path: &str, parameters: &str) -> Result<(), Failure> {
        if kernel::load_module(path, parameters)? {
            self.modules = self.modules.saturating_add(1);
            self.changed = true;
        }
        Ok(())
    }

    fn start(&mut self, command: &Command) -> Result<i32, Failure> {
        if self.running.is_full() {
            return Err(failure("fork")(Errno::AGAIN));
        }
        let pid = (self.system.start)(command).map_err(failure("execve"))?;
        // (There is a place.)
        let _ = self.running.push(pid);
        self.changed = true;
        Ok(pid)
    }

    /// Whatever can be found out before the reply is.
    fn prepare(&self, root: &str, command: Command) -> Result<Leave, Failure> {
        if !self.is_first {
            return Err(failure("chroot")(Errno::PERM));
        }
        let root = Text::new(&[root]).map_err(failure("open"))?;
        kernel::check_root(&root, command.path())?;
        Ok(Leave::SwitchRoot { root, command })
    }

    fn answer<'c>(
        &mut self,
        methods: Methods<'c>,
        mode: Mode,
        reply: Responder<'c, Cursor>,
    ) -> Result<Outcome<'c, Cursor>, Refusal> {
        let done = match methods {
            Methods::GetState if mode == Mode::More => {
                let (reply, progress) = (reply.stream()?, self.progress());
                return reply.subscribe_with(&progress, STATE, Lagging::Skip, Cursor::State);
            }
            Methods::GetState => return Ok(reply.send(&self.progress())?),
            Methods::Report(Report { status }) => {
                let status = status.map(heapless::String::try_from).transpose();
                self.status = status.map_err(|_| Refusal::invalid_parameter("status"))?;
                self.changed = true;
                Ok(())
            }
            Methods::Log(Log { message, level }) => {
                kernel::log(level.unwrap_or(Level::Info) as u8, &[message])
            }
            Methods::LoadModule(LoadModule { path, parameters }) => {
                self.load(path, parameters.unwrap_or_default())
            }
            Methods::Mount(wanted) => mount_as(&wanted),
            Methods::Unmount(Unmount { target }) => Text::new(&[target])
                .and_then(|target| unmount(target.as_c_str(), UnmountFlags::empty()))
                .map_err(failure("umount2")),
            Methods::Copy(Copy { from, to }) => kernel::copy(from, to),
            Methods::Start(Start { path, arguments }) => {
                let command = Command::new(path, &arguments.unwrap_or_default());
                let command = command.ok_or(Refusal::invalid_parameter("arguments"))?;
                let started = self.start(&command).map(|pid| Started { pid, exit: None });
                match (started, mode) {
                    (Ok(started), Mode::More) => {
                        let (reply, topic) = (reply.stream()?, topic(started.pid));
                        return reply.subscribe_with(
                            &started,
                            topic,
                            Lagging::Drop,
                            Cursor::Program,
                        );
                    }
                    (Ok(started), _) => return Ok(reply.send(&started)?),
                    (Err(failure), _) => Err(failure),
                }
            }
            Methods::SwitchRoot(SwitchRoot {
                root,
                path,
                arguments,
            }) => {
                let command = Command::new(path, &arguments.unwrap_or_default());
                let command = command.ok_or(Refusal::invalid_parameter("arguments"))?;
                self.prepare(root, command)
                    .map(|leave| self.set_leave(leave))
            }
            Methods::PowerOff(PowerOff { then }) if self.is_first => {
                self.set_leave(Leave::PowerOff(then.unwrap_or(Then::PowerOff)));
                Ok(())
            }
            Methods::PowerOff(_) => Err(failure("reboot")(Errno::PERM)),
        };
        Ok(match done {
            Ok(()) => reply.send(&())?,
            Err(Failure { call, errno }) => reply.error(&Error::Refused {
                call,
                errno: errno.raw_os_error(),
            })?,
        })
    }
}

impl Service for Boot {
    type Cursor = Cursor;
    const INTERFACES: &'static [Interface] = &[INTERFACE, monitor::INTERFACE];

    fn info(&self) -> Info<'_> {
        Info {
            vendor: "Nullink",
            product: "Init",
            version: env!("CARGO_PKG_VERSION"),
            url: "https://varlink.org",
        }
    }

    fn call<'c>(
        &mut self,
        call: Call<'c>,
        reply: Responder<'c, Cursor>,
    ) -> Result<Outcome<'c, Cursor>, Refusal> {
        let mode = call.mode();
        match call.decode()? {
            Calls::Boot(methods) => self.answer(methods, mode, reply),
            Calls::Uevents(methods) => monitor::answer(methods, reply),
        }
    }

    fn missed<'c>(
        &mut self,
        cursor: Cursor,
        count: u32,
        reply: ReplyStream<'c, Cursor>,
    ) -> Result<Outcome<'c, Cursor>, Refusal> {
        match cursor {
            Cursor::Uevents(wanted) => monitor::missed(wanted, count, reply),
            // What it has missed is over: this is how it is now.
            _ => reply.subscribe_with(&self.progress(), STATE, Lagging::Skip, cursor),
        }
    }
}

/// The topic of those who wait for the end of a program.
fn topic(pid: i32) -> u32 {
    PROGRAM | pid.unsigned_abs()
}

fn mount_as(wanted: &Mount<'_>) -> Result<(), Failure> {
    let [kind, source, target, options] = [
        wanted.kind,
        wanted.source.unwrap_or(wanted.kind),
        wanted.target,
        wanted.options.unwrap_or_default(),
    ]
    .map(|text| Text::new(&[text]).map_err(failure("mount")));
    let (kind, source, target, options) = (kind?, source?, target?, options?);
    let flags = match wanted.read_only {
        Some(true) => MountFlags::RDONLY,
        _ => MountFlags::empty(),
    };
    kernel::mount_on(
        kind.as_c_str(),
        source.as_c_str(),
        target.as_c_str(),
        flags,
        options.as_c_str(),
    )
}
