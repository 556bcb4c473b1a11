//! The service `org.example.boot` of the first program of an initramfs. It also serves
//! `org.example.uevents`, like the example monitor.

use core::mem;

use heapless::Vec;
use nullink::Method;
use nullink::{Answer, Call, Info, Interface, Mode, Refusal, Responder, Service, interface};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, unmount};
use serde::{Deserialize, Serialize};

use super::kernel::{self, Command, Copying, Failure, Text, failure};
use super::monitor::{self, Subscription, Uevents};

/// The number of clients that can be connected at once.
pub const CLIENTS: usize = 8;

/// The number of programs that can run at once.
pub const RUNNING: usize = 16;

/// The number of arguments that a program can have.
const ARGUMENTS: usize = 16;

/// The topic of the calls that wait for a change of state. [`monitor::TOPIC`] is 0.
pub const STATE: u32 = 1;

/// The topic of the calls that wait for the end of a copy.
pub const COPY: u32 = 2;

/// The first topic of the calls that wait for the end of a program. The program's index is added.
const PROGRAM: u32 = 3;

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

/// The methods, for the service and for its clients.
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

/// The methods of both interfaces.
#[derive(Deserialize)]
#[allow(clippy::large_enum_variant)] // there is no allocator to box it with
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

/// Functions that need unsafe code. The programs with std and without libc differ in them.
#[derive(Clone, Copy)]
pub struct System {
    /// Returns the time since the kernel started, in milliseconds.
    pub clock: fn() -> u64,
    /// Opens a descriptor that becomes readable when a child has ended: signalfd(2).
    pub children: fn() -> Result<OwnedFd, Errno>,
    /// Starts a program, and returns its pid: fork(2), execve(2).
    pub start: fn(&Command) -> Result<i32, Errno>,
    /// Replaces this program with another: execve(2). Returns only if that fails.
    pub execute: fn(&Command) -> Errno,
}

/// The way in which this program is about to end.
#[allow(clippy::large_enum_variant)] // as above
pub enum Leave {
    SwitchRoot { root: Text, command: Command },
    PowerOff(Then),
}

/// The event that a parked call waits for.
#[derive(Clone, Copy)]
pub enum Cursor {
    /// A change of state.
    State,
    /// The end of the program with this index.
    Program(usize),
    /// The end of the copy with this index.
    Copy(usize),
    Uevents(Subscription),
}

impl From<Subscription> for Cursor {
    fn from(subscription: Subscription) -> Self {
        Cursor::Uevents(subscription)
    }
}

/// A program that was started with `Start`.
#[derive(Clone, Copy)]
struct Program {
    pid: i32,
    /// How the program has ended. None while it runs.
    exit: Option<Exit>,
    /// True if a client waits for its end.
    is_awaited: bool,
}

/// A copy that was started with `Copy`.
#[allow(clippy::large_enum_variant)] // as above
enum CopyState {
    Running {
        copying: Copying,
        /// True if a client waits for its end: not for a `oneway` call.
        is_awaited: bool,
    },
    /// The result, which the waiting client is not told yet.
    Ended(Result<(), Failure>),
}

/// The interface.
pub const INTERFACE: Interface = interface!("org.example.boot.varlink");

/// The service.
pub struct Boot<'u> {
    system: System,
    /// True for the first program, which may switch the root and power off the machine.
    is_first: bool,
    status: Option<heapless::String<64>>,
    modules: u32,
    /// The programs that run, and those that have ended while the waiting client is not told yet.
    programs: [Option<Program>; RUNNING],
    /// The copies that run, and those that have ended while the waiting client is not told yet.
    copies: [Option<CopyState>; CLIENTS],
    orphans: u32,
    leave: Option<Leave>,
    uevents: &'u mut Uevents,
    /// True if a handler has changed the state and the parked calls are not woken yet.
    changed: bool,
}

impl<'u> Boot<'u> {
    pub fn new(system: System, is_first: bool, uevents: &'u mut Uevents) -> Self {
        Boot {
            system,
            is_first,
            status: None,
            modules: 0,
            programs: [None; RUNNING],
            copies: [const { None }; CLIENTS],
            orphans: 0,
            leave: None,
            uevents,
            changed: false,
        }
    }

    /// Returns the functions that need unsafe code.
    pub fn system(&self) -> System {
        self.system
    }

    /// True for the first program.
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    /// Returns the uevents, for the loop that receives them.
    pub fn uevents(&mut self) -> &mut Uevents {
        self.uevents
    }

    /// True if this program is about to end.
    pub fn is_leaving(&self) -> bool {
        self.leave.is_some()
    }

    /// Takes the request to end. If the program cannot end, it serves again.
    pub fn leave(&mut self) -> Option<Leave> {
        self.leave.take()
    }

    fn set_leave(&mut self, leave: Leave) {
        self.changed = true;
        self.leave = Some(leave);
    }

    fn progress(&self) -> Progress<'_> {
        let programs = self.programs.iter().flatten();
        Progress {
            state: State {
                phase: match &self.leave {
                    None => Phase::Serving,
                    Some(Leave::SwitchRoot { .. }) => Phase::SwitchingRoot,
                    Some(Leave::PowerOff(_)) => Phase::PoweringOff,
                },
                status: self.status.as_deref(),
                modules: self.modules,
                running: programs.filter(|program| program.exit.is_none()).count(),
                orphans: self.orphans,
            },
            uptime: (self.system.clock)(),
        }
    }

    /// Records that a process has ended, which changes the state. Returns the topic to wake if a
    /// client waits for the end of this process.
    pub fn ended(&mut self, pid: i32, exit: Exit) -> Option<u32> {
        let mut places = self.programs.iter_mut().enumerate();
        // An entry of an ended program can have the same pid.
        let found = places.find_map(|(index, place)| {
            let is_it = place.is_some_and(|program| program.pid == pid && program.exit.is_none());
            is_it.then_some((index, place))
        });
        let Some((index, place)) = found else {
            self.orphans = self.orphans.saturating_add(1);
            return None;
        };
        match place {
            Some(program) if program.is_awaited => {
                program.exit = Some(exit);
                Some(topic(index))
            }
            _ => {
                *place = None;
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

    /// Starts a program. Returns its index and the reply to `Start`.
    fn start(&mut self, command: &Command) -> Result<(usize, Started), Failure> {
        let mut places = self.programs.iter_mut().enumerate();
        let free = places.find(|(_, place)| place.is_none());
        let (index, place) = free.ok_or(failure("fork")(Errno::AGAIN))?;
        let pid = (self.system.start)(command).map_err(failure("execve"))?;
        *place = Some(Program {
            pid,
            exit: None,
            is_awaited: false,
        });
        self.changed = true;
        Ok((index, Started { pid, exit: None }))
    }

    /// Starts a copy, and returns its index.
    fn start_copy(&mut self, from: &str, to: &str, mode: Mode) -> Result<usize, Failure> {
        let mut places = self.copies.iter_mut().enumerate();
        let free = places.find(|(_, place)| place.is_none());
        let (index, place) = free.ok_or(failure("open")(Errno::AGAIN))?;
        *place = Some(CopyState::Running {
            copying: Copying::new(from, to, index as u8)?,
            is_awaited: mode != Mode::Oneway,
        });
        Ok(index)
    }

    /// True if a copy runs. The loop then calls [`copy_pieces`](Self::copy_pieces) after each step,
    /// and does not wait.
    pub fn is_copying(&self) -> bool {
        let mut copies = self.copies.iter().flatten();
        copies.any(|copy| matches!(copy, CopyState::Running { .. }))
    }

    /// Copies a piece of each file. Returns true if a copy has ended: the topic [`COPY`] must be
    /// woken.
    pub fn copy_pieces(&mut self) -> bool {
        let mut has_ended = false;
        for place in &mut self.copies {
            if let Some(CopyState::Running {
                copying,
                is_awaited,
            }) = place
            {
                let result = match copying.copy_piece() {
                    Ok(false) => continue,
                    result => result.map(drop),
                };
                *place = is_awaited.then_some(CopyState::Ended(result));
                has_ended = true;
            }
        }
        has_ended
    }

    /// Forgets all clients: drops the copies, and the programs that have ended.
    pub fn disconnect(&mut self) {
        for index in 0..CLIENTS {
            self.abandoned(Cursor::Copy(index));
        }
        for index in 0..RUNNING {
            self.abandoned(Cursor::Program(index));
        }
    }

    /// Sends the first reply to `Start`, and parks the call until the program has ended.
    fn await_end<'c>(
        &mut self,
        index: usize,
        started: &Started,
        reply: Responder<'c, Cursor>,
    ) -> Answer<'c, Cursor> {
        let sent = reply.more()?.next(started)?;
        let answer = sent.park(topic(index), Cursor::Program(index));
        if let Some(Some(program)) = self.programs.get_mut(index) {
            program.is_awaited = answer.is_ok();
        }
        answer
    }

    /// Sends the state, and parks the call until the state changes.
    fn watch<'c>(&self, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        let sent = reply.more()?.next(&self.progress())?;
        sent.park(STATE, Cursor::State)
    }

    /// Checks a switch of the root before the reply, so that the reply can report what would fail.
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
    ) -> Answer<'c, Cursor> {
        let done = match methods {
            Methods::GetState if mode == Mode::More => return self.watch(reply),
            Methods::GetState => return reply.send(&self.progress()),
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
            Methods::Copy(Copy { from, to }) => match self.start_copy(from, to, mode) {
                Ok(index) if mode != Mode::Oneway => return reply.park(COPY, Cursor::Copy(index)),
                started => started.map(drop),
            },
            Methods::Start(Start { path, arguments }) => {
                let command = Command::new(path, &arguments.unwrap_or_default());
                let command = command.ok_or(Refusal::invalid_parameter("arguments"))?;
                match self.start(&command) {
                    Ok((index, started)) if mode == Mode::More => {
                        return self.await_end(index, &started, reply);
                    }
                    Ok((_, started)) => return reply.send(&started),
                    Err(failure) => Err(failure),
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
        reply.result(&done.map_err(refused))
    }
}

fn refused(Failure { call, errno }: Failure) -> Error<'static> {
    Error::Refused {
        call,
        errno: errno.raw_os_error(),
    }
}

impl Service<Cursor> for Boot<'_> {
    const INTERFACES: &'static [Interface] = &[INTERFACE, monitor::INTERFACE];

    fn info(&self) -> Info<'_> {
        Info {
            vendor: "Nullink",
            product: "Init",
            version: env!("CARGO_PKG_VERSION"),
            url: "https://varlink.org",
        }
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        let mode = call.mode();
        match call.decode()? {
            Calls::Boot(methods) => self.answer(methods, mode, reply),
            Calls::Uevents(methods) => monitor::answer(self.uevents, methods, reply),
        }
    }

    fn resume<'c>(&mut self, cursor: Cursor, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        match cursor {
            Cursor::State => self.watch(reply),
            Cursor::Program(index) => {
                let place = self.programs.get_mut(index);
                match place.and_then(|place| place.take_if(|program| program.exit.is_some())) {
                    Some(Program { pid, exit, .. }) => reply.send(&Started { pid, exit }),
                    None => reply.park(topic(index), cursor),
                }
            }
            Cursor::Copy(index) => {
                let place = self.copies.get_mut(index);
                let has_ended = |copy: &mut CopyState| matches!(copy, CopyState::Ended(_));
                match place.and_then(|place| place.take_if(has_ended)) {
                    Some(CopyState::Ended(result)) => reply.result(&result.map_err(refused)),
                    _ => reply.park(COPY, cursor),
                }
            }
            Cursor::Uevents(subscription) => monitor::resume(self.uevents, subscription, reply),
        }
    }

    fn woken(&mut self) -> Option<u32> {
        mem::take(&mut self.changed).then_some(STATE)
    }

    fn abandoned(&mut self, cursor: Cursor) {
        match cursor {
            Cursor::Program(index) => match self.programs.get_mut(index) {
                Some(Some(program)) if program.exit.is_none() => program.is_awaited = false,
                place => _ = place.map(Option::take),
            },
            Cursor::Copy(index) => _ = self.copies.get_mut(index).map(Option::take),
            Cursor::State | Cursor::Uevents(_) => {}
        }
    }
}

/// Returns the topic of the call that waits for the end of a program, by the program's index.
fn topic(index: usize) -> u32 {
    PROGRAM.saturating_add(index as u32)
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
