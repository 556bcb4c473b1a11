//! Checks that any environment is either an activation or an error. The descriptors are adopted in
//! order, each at most once, only if they belong to this process, and those that are not kept are
//! closed.
//!
//! The input is the kinds of the open descriptors, one byte each, and then the variables, each after
//! a NUL. `$PID` in a value stands for the number of this process.
#![no_main]

use std::collections::HashSet;
use std::fs::File;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};

use libfuzzer_sys::fuzz_target;
use nullink::activation::{self, Activated, ActivationError};

/// More descriptors take longer and find nothing new.
const MOST_OPEN: usize = 8;

/// A number that is never open.
const NOT_OPEN: RawFd = RawFd::MAX;

/// Opens a descriptor of a kind.
fn open(kind: u8) -> OwnedFd {
    match kind % 4 {
        0 => UnixStream::pair().expect("a pair").0.into(),
        1 => listener(),
        2 => UdpSocket::bind("127.0.0.1:0").expect("a socket").into(),
        _ => File::open("/dev/null").expect("a file").into(),
    }
}

/// Opens a listening socket in the abstract namespace, with a name that the kernel chooses.
fn listener() -> OwnedFd {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    use std::sync::atomic::{AtomicU64, Ordering};

    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("nullink-fuzz-{}-{next}", std::process::id());
    let address = SocketAddr::from_abstract_name(name).expect("a name");
    UnixListener::bind_addr(&address)
        .expect("a listener")
        .into()
}

/// The descriptors that a process was started with, which are numbered from 3 for the library. Their
/// real numbers differ, because libFuzzer uses those from 3.
struct Passed<'a> {
    kinds: &'a [u8],
    /// A set, because a number is used again after its descriptor was closed.
    real: HashSet<RawFd>,
    asked: RawFd,
}

impl<'a> Passed<'a> {
    fn new(kinds: &'a [u8]) -> Self {
        Passed {
            kinds: &kinds[..kinds.len().min(MOST_OPEN)],
            real: HashSet::new(),
            asked: 0,
        }
    }

    fn adopt(&mut self, number: RawFd) -> OwnedFd {
        assert_eq!(number, 3 + self.asked, "not in order, or twice");
        let kind = self.kinds.get(self.asked as usize);
        self.asked += 1;
        match kind {
            Some(kind) => {
                let fd = open(*kind);
                self.real.insert(fd.as_raw_fd());
                fd
            }
            // SAFETY: the library forgets a descriptor that is not open.
            None => unsafe { OwnedFd::from_raw_fd(NOT_OPEN) },
        }
    }

    /// Returns the number of adopted descriptors that are open now.
    fn count_open(&self) -> usize {
        let is_open = |fd: &&RawFd| std::fs::exists(format!("/proc/self/fd/{fd}")).expect("/proc");
        self.real.iter().filter(is_open).count()
    }
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|byte| *byte == 0);
    let kinds = parts.next().unwrap_or_default();
    let pid = std::process::id().to_string();
    let variables: Vec<(&[u8], Vec<u8>)> = parts
        .filter_map(|part| {
            let at = part.iter().position(|byte| *byte == b'=')?;
            let value = match part[at + 1..].strip_prefix(b"$PID") {
                Some(rest) => [pid.as_bytes(), rest].concat(),
                None => part[at + 1..].to_vec(),
            };
            Some((&part[..at], value))
        })
        .collect();
    let environment = |name: &str| -> Option<&[u8]> {
        let found = variables.iter().find(|(this, _)| *this == name.as_bytes());
        found.map(|(_, value)| &value[..])
    };
    let number = |name: &str| str::from_utf8(environment(name)?).ok()?.parse::<u64>().ok();
    let is_own = number("LISTEN_PID") == Some(std::process::id().into());

    let mut passed = Passed::new(kinds);
    let mut found: Vec<(Vec<u8>, OwnedFd)> = Vec::new();
    let result = activation::descriptors(
        environment,
        |number| passed.adopt(number),
        |name, fd| found.push((name.into(), fd)),
    );
    assert!(is_own || passed.asked == 0);
    assert_eq!(passed.count_open(), found.len(), "kept or closed");
    match result {
        Ok(()) if passed.asked == 0 => {}
        Ok(()) => {
            assert_eq!(number("LISTEN_FDS"), Some(found.len() as u64));
            if let Some(names) = environment("LISTEN_FDNAMES") {
                let found: Vec<&[u8]> = found.iter().map(|(name, _)| &name[..]).collect();
                assert_eq!(found.join(&b':'), names);
            }
        }
        Err(ActivationError::NotOpen) => assert_eq!(found.len(), passed.kinds.len()),
        Err(ActivationError::Malformed(name)) => {
            assert!(environment(name).is_some() && passed.asked == 0);
        }
        Err(ActivationError::Names) => assert_eq!(passed.asked, 0),
        Err(error) => panic!("{error}"),
    }
    let all: Vec<_> = found
        .iter()
        .map(|(name, _)| &name[..] == b"varlink")
        .collect();
    let named = all.iter().filter(|is_named| **is_named).count();

    let mut passed = Passed::new(kinds);
    let activated = Activated::from_environment(environment, |number| passed.adopt(number));
    // The socket is the only one, or the only one that has the name.
    let chosen = match (&result, all.len(), named) {
        (Ok(()), 1, _) => Some(0),
        (Ok(()), _, 1) => all.iter().position(|is_named| *is_named),
        _ => None,
    };
    match (&activated, chosen.map(|at| kinds[at] % 4)) {
        (Ok(Some(Activated::Connection(_))), Some(0)) => assert_eq!(passed.count_open(), 1),
        (Ok(Some(Activated::Listener(_))), Some(1)) => assert_eq!(passed.count_open(), 1),
        (Err(ActivationError::NotAStream), Some(2)) => assert_eq!(passed.count_open(), 0),
        (Err(ActivationError::NotASocket), Some(3)) => assert_eq!(passed.count_open(), 0),
        (Ok(None), None) => assert!(result.is_ok() && all.is_empty()),
        (Err(ActivationError::NoneNamed), None) => assert!(all.len() > 1 && named == 0),
        (Err(ActivationError::SeveralNamed), None) => assert!(named > 1),
        (Err(error), None) => assert_eq!(result, Err(*error)),
        (activated, chosen) => panic!("{activated:?}, not {chosen:?}"),
    }
});
