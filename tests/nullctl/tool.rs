//! Runs the tool, and services for it.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

/// Returns a command that runs the tool.
pub fn nullctl() -> Command {
    let path = env::var_os("NULLCTL").unwrap_or_else(|| env!("CARGO_BIN_EXE_nullctl").into());
    let mut command = Command::new(path);
    command.env_remove("NO_COLOR").env("TERM", "linux");
    command.stdin(Stdio::null());
    command
}

/// True if the tool under test is not the form with std, which alone has a verb.
pub fn lacks(verb: &str) -> bool {
    let other = env::var_os("NULLCTL").is_some();
    if other {
        println!("skipped: {verb} needs the form with std");
    }
    other
}

/// Runs the tool to its end.
pub fn run(arguments: &[&str]) -> Output {
    nullctl().args(arguments).output().expect("nullctl starts")
}

/// Runs the tool, which must succeed and print no message. Returns its output.
#[track_caller]
pub fn succeed(arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        (output.status.code(), &*errors),
        (Some(0), ""),
        "{arguments:?}"
    );
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}

/// Runs the tool, which must fail with exit status 1. Returns its message.
#[track_caller]
pub fn fail(arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
    assert!(errors.starts_with("nullctl: "), "{errors}");
    errors
}

/// Runs a command, which must succeed. Returns what a terminal shows; `connect` makes it a standard
/// descriptor.
pub fn shown_on_terminal(
    mut command: Command,
    connect: impl FnOnce(&mut Command, OwnedFd),
) -> String {
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).expect("a pseudoterminal");
    grantpt(&master).expect("it is ours");
    unlockpt(&master).expect("it is ours");
    let terminal = ioctl_tiocgptpeer(&master, flags).expect("its other side");
    connect(&mut command, terminal);
    let mut child = command.spawn().expect("nullctl starts");
    // The terminal hangs up when the last process has closed it.
    drop(command);
    let (mut shown, mut buffer) = (Vec::new(), [0; 4096]);
    let mut master = fs::File::from(master);
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..count]);
    }
    assert!(child.wait().expect("it ends").success());
    String::from_utf8(shown).expect("UTF-8")
}

/// A directory for sockets, removed at the end.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("nullctl-{}-{number}", process::id()));
        fs::create_dir_all(&path).expect("the directory can be made");
        Directory(path)
    }

    pub fn path(&self, name: &str) -> String {
        let path = self.0.join(name);
        path.into_os_string().into_string().expect("UTF-8")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An example of the repository that serves at a socket, ended with the value.
pub struct Service {
    child: Child,
    pub address: String,
    _directory: Directory,
}

impl Service {
    /// Starts an example with these arguments before its address.
    pub fn start(example: &str, arguments: &[&str]) -> Self {
        let directory = Directory::new();
        let address = directory.path("socket");
        let child = Command::new(example_path(example))
            .args(arguments)
            .arg(&address)
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{example}: {error}: run cargo build --examples"));
        let service = Service {
            child,
            address,
            _directory: directory,
        };
        while std::os::unix::net::UnixStream::connect(&service.address).is_err() {
            std::thread::yield_now();
        }
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Cargo builds the examples next to the programs of a test.
pub fn example_path(name: &str) -> PathBuf {
    let test = env::current_exe().expect("the test has a path");
    let target = test.parent().and_then(Path::parent).expect("target/debug");
    target.join("examples").join(name)
}
