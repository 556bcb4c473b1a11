//! The system calls of the first program of an initramfs. Errors name the system call that failed.

use core::ffi::CStr;
use core::mem::{self, MaybeUninit};
use core::str;

use heapless::Vec;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawDir, ResolveFlags, StatxAttributes, StatxFlags,
    fchmod, fstat, fstatfs, mkdir, mkdirat, open, openat, openat2, rename, statx, unlink, unlinkat,
};
use rustix::io::{Errno, read, retry_on_intr, write};
use rustix::mount::{MountFlags, mount, mount_move};
use rustix::process::{chdir, chroot};
use rustix::system::finit_module;

/// The longest path, in bytes with its NUL.
const PATH_MAX: usize = 256;

/// A failed system call.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    pub call: &'static str,
    pub errno: Errno,
}

/// Returns a function that adds the name of the failed system call to an errno.
pub fn failure(call: &'static str) -> impl Fn(Errno) -> Failure {
    move |errno| Failure { call, errno }
}

/// The file systems that every program needs: type, directory, flags and options.
pub const MOUNTS: [(&CStr, &CStr, MountFlags, &CStr); 4] = [
    (c"devtmpfs", c"/dev", MountFlags::NOSUID, c"mode=0755"),
    (c"proc", c"/proc", NOTHING_RUNS, c""),
    (c"sysfs", c"/sys", NOTHING_RUNS, c""),
    (c"tmpfs", c"/run", NOTHING_RUNS, c"mode=0755"),
];

const NOTHING_RUNS: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC);

/// A string with a NUL at its end, for system calls.
#[derive(Clone)]
pub struct Text(Vec<u8, PATH_MAX>);

impl Text {
    /// Joins the parts, and adds the NUL.
    ///
    /// # Errors
    ///
    /// Fails if the text is longer than [`PATH_MAX`], or a part contains a NUL.
    pub fn new(parts: &[&str]) -> Result<Self, Errno> {
        let mut text = Vec::new();
        for part in parts.iter().map(|part| part.as_bytes()).chain([&b"\0"[..]]) {
            text.extend_from_slice(part)
                .map_err(|_| Errno::NAMETOOLONG)?;
        }
        let text = Text(text);
        CStr::from_bytes_with_nul(&text.0).map_err(|_| Errno::INVAL)?;
        Ok(text)
    }

    pub fn as_c_str(&self) -> &CStr {
        // `new` has checked that there is one NUL, at the end.
        CStr::from_bytes_with_nul(&self.0).unwrap_or_default()
    }
}

/// A program and its arguments, for execve(2).
#[derive(Clone)]
pub struct Command {
    /// The path and the arguments, each with a NUL at its end. The path is also argument 0.
    strings: Vec<u8, 1024>,
}

impl Command {
    /// Returns None if the strings are too long, or one of them contains a NUL.
    pub fn new(path: &str, arguments: &[&str]) -> Option<Self> {
        let mut strings = Vec::new();
        for string in [path].iter().chain(arguments) {
            if string.as_bytes().contains(&0) {
                return None;
            }
            strings.extend_from_slice(string.as_bytes()).ok()?;
            strings.push(0).ok()?;
        }
        Some(Command { strings })
    }

    /// Returns the path and the arguments.
    pub fn strings(&self) -> impl Iterator<Item = &CStr> + Clone {
        // split_inclusive() has an index that the linker keeps, and so it can panic.
        let mut rest = self.strings.as_slice();
        core::iter::from_fn(move || {
            let string = CStr::from_bytes_until_nul(rest).ok()?;
            rest = rest.get(string.to_bytes_with_nul().len()..)?;
            Some(string)
        })
    }

    /// Returns the path.
    pub fn path(&self) -> &CStr {
        self.strings().next().unwrap_or_default()
    }
}

/// Opens a regular file for reading. Reading from anything else could block this program.
fn open_file(path: &CStr) -> Result<OwnedFd, Failure> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::empty()).map_err(failure("open"))?;
    let stat = fstat(&file).map_err(failure("fstat"))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(file),
        _ => Err(failure("open")(Errno::INVAL)),
    }
}

/// Writes a line to the kernel's log, `/dev/kmsg`. The level is one of syslog(2), 0 to 7.
pub fn log(level: u8, parts: &[&str]) -> Result<(), Failure> {
    let mut line = Vec::<u8, 960>::new();
    let prefix = [b'<', b'0'.saturating_add(level), b'>'];
    for part in [&prefix[..], b"init: "]
        .into_iter()
        .chain(parts.iter().map(|part| part.as_bytes()))
    {
        // The kernel keeps no longer lines. It shows a line only after its newline.
        let room = line.capacity().saturating_sub(line.len()).saturating_sub(1);
        let _ = line.extend_from_slice(part.get(..room).unwrap_or(part));
    }
    let _ = line.push(b'\n');
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = open(c"/dev/kmsg", flags, Mode::empty()).map_err(failure("open"))?;
    write(&file, &line).map(drop).map_err(failure("write"))
}

/// Mounts a file system on a directory, which is created if it does not exist.
pub fn mount_on(
    kind: &CStr,
    source: &CStr,
    target: &CStr,
    flags: MountFlags,
    options: &CStr,
) -> Result<(), Failure> {
    match mkdir(target, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(failure("mkdir")(errno)),
    }
    mount(source, target, kind, flags, options).map_err(failure("mount"))
}

/// Loads a module from a file, which may be compressed. Returns false if it was loaded already.
pub fn load_module(path: &str, parameters: &str) -> Result<bool, Failure> {
    /// `MODULE_INIT_COMPRESSED_FILE`: finit_module(2).
    const COMPRESSED: i32 = 4;
    let is_compressed = [".gz", ".xz", ".zst"].iter().any(|end| path.ends_with(end));
    let path = Text::new(&[path]).map_err(failure("open"))?;
    let parameters = Text::new(&[parameters]).map_err(failure("finit_module"))?;
    let file = open_file(path.as_c_str())?;
    let flags = if is_compressed { COMPRESSED } else { 0 };
    match finit_module(&file, parameters.as_c_str(), flags) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(errno) => Err(failure("finit_module")(errno)),
    }
}

/// The number of reads in one piece of a copy: 64 KiB.
const READS: usize = 16;

/// A file that is being copied in pieces, so that other clients are served in between. When it is
/// dropped, the incomplete file is deleted.
pub struct Copying {
    from: OwnedFd,
    file: OwnedFd,
    mode: Mode,
    /// The path of the incomplete file.
    part: Text,
    to: Text,
}

impl Copying {
    /// Opens both files. `number` is part of the name of the incomplete file: two copies to the
    /// same path must have different numbers.
    pub fn new(from: &str, to: &str, number: u8) -> Result<Self, Failure> {
        let path = |parts: &[&str]| Text::new(parts).map_err(failure("open"));
        let digit = [b'0'.saturating_add(number)];
        let digit = str::from_utf8(&digit).unwrap_or_default();
        let (from, part, to) = (path(&[from])?, path(&[to, ".part", digit])?, path(&[to])?);
        let from = open_file(from.as_c_str())?;
        let stat = fstat(&from).map_err(failure("fstat"))?;
        // An earlier attempt or another program may have left a file there.
        let _ = unlink(part.as_c_str());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = open(part.as_c_str(), flags, Mode::RUSR).map_err(failure("open"))?;
        Ok(Copying {
            from,
            file,
            // Without the set-user-ID, set-group-ID and sticky bits: the copy belongs to root.
            mode: Mode::from_raw_mode(stat.st_mode & 0o777),
            part,
            to,
        })
    }

    /// Copies the next piece. Returns true if the copy is complete, and has replaced the file at
    /// the target path. Until then, that file is unchanged.
    pub fn copy_piece(&mut self) -> Result<bool, Failure> {
        let mut buffer = [0; 4096];
        for _ in 0..READS {
            let count = retry_on_intr(|| read(&self.from, &mut buffer)).map_err(failure("read"))?;
            let mut bytes = buffer.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                fchmod(&self.file, self.mode).map_err(failure("fchmod"))?;
                let renamed = rename(self.part.as_c_str(), self.to.as_c_str());
                return renamed.map(|()| true).map_err(failure("rename"));
            }
            while !bytes.is_empty() {
                let count = retry_on_intr(|| write(&self.file, bytes)).map_err(failure("write"))?;
                bytes = bytes.get(count..).unwrap_or_default();
            }
        }
        Ok(false)
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        // After a complete copy, there is no such file.
        let _ = unlink(self.part.as_c_str());
    }
}

/// Opens /dev/null as the descriptors 0, 1 and 2 that are closed. Otherwise a connection could get
/// number 2, and error messages would be written to it.
pub fn keep_standard_descriptors() {
    while let Ok(null) = open(c"/dev/null", OFlags::RDWR, Mode::empty()) {
        if null.as_raw_fd() > 2 {
            break;
        }
        mem::forget(null);
    }
}

/// Reads the kernel command line: proc_cmdline(5). Returns an empty slice if that fails.
pub fn command_line(buffer: &mut [u8]) -> &[u8] {
    let file = open(
        c"/proc/cmdline",
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let count = file.and_then(|file| retry_on_intr(|| read(&file, &mut *buffer)));
    buffer.get(..count.unwrap_or(0)).unwrap_or_default()
}

/// True if a directory is a mount point: statx(2), since Linux 5.8.
pub fn is_mount_point(path: &CStr) -> bool {
    let stat = statx(CWD, path, AtFlags::empty(), StatxFlags::empty());
    stat.is_ok_and(|stat| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Checks what can be checked before [`switch_root`]. The new root must be a mount point, but not
/// one of [`MOUNTS`] or below one, because a mount cannot be moved into itself. It must have
/// directories for the `MOUNTS`, which are created if needed, and an executable file at the
/// program's path. Symbolic links in that path are followed within the new root.
pub fn check_root(root: &Text, program: &CStr) -> Result<(), Failure> {
    let path = root.as_c_str().to_bytes();
    let mut names = path
        .split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty());
    let first = names.clone().next().unwrap_or_default();
    let is_under = |(_, own, _, _): &(_, &CStr, _, _)| own.to_bytes().get(1..) == Some(first);
    let leads_back = names.any(|name| name == b"..");
    if first.is_empty() || !path.starts_with(b"/") || leads_back || MOUNTS.iter().any(is_under) {
        return Err(failure("mount")(Errno::INVAL));
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS;
    let directory = openat2(CWD, root.as_c_str(), flags, Mode::empty(), resolve);
    let directory = directory.map_err(failure("open"))?;
    if !is_mount_point(root.as_c_str()) {
        return Err(failure("mount")(Errno::INVAL));
    }
    for (_, own, _, _) in MOUNTS {
        let name = own.to_bytes_with_nul().get(1..).unwrap_or_default();
        let name = CStr::from_bytes_with_nul(name).unwrap_or_default();
        match mkdirat(&directory, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failure("mkdir")(errno)),
        }
    }
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let found = openat2(
        &directory,
        program,
        flags,
        Mode::empty(),
        ResolveFlags::IN_ROOT,
    );
    let found = found.and_then(fstat).map_err(failure("execve"))?;
    let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile;
    if is_file && found.st_mode & 0o111 != 0 {
        Ok(())
    } else {
        Err(failure("execve")(Errno::ACCESS))
    }
}

/// Makes another mount point the root, like switch_root(8): moves the [`MOUNTS`] there, and then
/// deletes the files of the old root if it is in memory. If it fails, all mounts are moved back.
pub fn switch_root(root: &Text) -> Result<(), Failure> {
    let old = open(c"/", DIRECTORY, Mode::empty()).map_err(failure("open"))?;
    let mut moved = Vec::<(&CStr, Text), { MOUNTS.len() }>::new();
    let switched = move_all(root.as_c_str(), &mut moved);
    match switched {
        Ok(()) => delete_initramfs(&old),
        Err(_) => {
            let _ = chdir(c"/");
            while let Some((from, to)) = moved.pop() {
                let _ = mount_move(to.as_c_str(), from);
            }
        }
    }
    switched
}

fn move_all(
    root: &CStr,
    moved: &mut Vec<(&'static CStr, Text), { MOUNTS.len() }>,
) -> Result<(), Failure> {
    for (_, from, _, _) in MOUNTS {
        if !is_mount_point(from) {
            continue;
        }
        let [into, name] = [root, from].map(|path| path.to_str().unwrap_or_default());
        let to = Text::new(&[into, name]).map_err(failure("mount"))?;
        mount_move(from, to.as_c_str()).map_err(failure("mount"))?;
        // This cannot fail: there is room for all mounts.
        let _ = moved.push((from, to));
    }
    chdir(root).map_err(failure("chdir"))?;
    mount_move(c".", c"/").map_err(failure("mount"))?;
    chroot(c".").map_err(failure("chroot"))?;
    chdir(c"/").map_err(failure("chdir"))
}

/// Deletes the files in a root directory if its file system is in memory, as an initramfs is.
fn delete_initramfs(root: &OwnedFd) {
    /// `RAMFS_MAGIC` and `TMPFS_MAGIC`: statfs(2).
    const IN_MEMORY: [u32; 2] = [0x8584_58f6, 0x0102_1994];
    let is_in_memory = fstatfs(root).is_ok_and(|stat| IN_MEMORY.contains(&(stat.f_type as u32)));
    if let (true, Ok(stat)) = (is_in_memory, fstat(root)) {
        delete_all(root, stat.st_dev, MAX_DEPTH);
    }
}

/// The number of directory levels that are deleted. It limits the recursion.
const MAX_DEPTH: u8 = 16;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Deletes the contents of a directory down to `depth` levels, but nothing on other file systems.
fn delete_all(directory: &OwnedFd, device: u64, depth: u8) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    let mut buffer = [MaybeUninit::uninit(); 1024];
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name();
        if [c".", c".."].contains(&name) || unlinkat(directory, name, AtFlags::empty()).is_ok() {
            continue;
        }
        // This is a directory or a mount point.
        if let Ok(inner) = openat(directory, name, DIRECTORY, Mode::empty())
            && fstat(&inner).is_ok_and(|stat| stat.st_dev == device)
        {
            delete_all(&inner, device, depth);
            let _ = unlinkat(directory, name, AtFlags::REMOVEDIR);
        }
    }
}
