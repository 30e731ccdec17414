//! Starts a process by `posix_spawn`: own session, clean signals, the given environment and nothing else.
//!
//! The one place with unsafe code of this crate beside the signal descriptor. `posix_spawn` instead of fork and exec:
//! it copies no page tables, and it tells a failed exec by its return value. `std::process::Command` cannot do it
//! with a session of the child's own.

use std::ffi::{CString, OsStr, c_char};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use haliotis_model::Vars;

/// Where programs are looked up if the process has no `PATH`, as `execvp` does.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A process to be.
pub(crate) struct Start<'a> {
    pub(crate) program: &'a Path,
    pub(crate) argv: &'a [String],
    pub(crate) vars: &'a Vars,
    pub(crate) cwd: &'a Path,
    pub(crate) stdin: RawFd,
    pub(crate) stdout: RawFd,
    pub(crate) stderr: RawFd,
}

/// Finds the program as a shell does: with a `/` it is a path from the working directory, else one of `PATH`.
pub(crate) fn find_program(name: &str, vars: &Vars, cwd: &Path) -> io::Result<PathBuf> {
    let path = vars.get("PATH").map_or(DEFAULT_PATH, String::as_str);
    let candidates: Vec<PathBuf> = if name.contains('/') {
        vec![cwd.join(name)]
    } else {
        std::env::split_paths(OsStr::new(path)).map(|dir| cwd.join(dir).join(name)).collect()
    };
    let mut refused = None;
    for candidate in candidates {
        match std::fs::metadata(&candidate) {
            Ok(meta) if meta.is_file() && meta.permissions().mode() & 0o111 != 0 => return Ok(candidate),
            Ok(_) => refused = Some(candidate),
            Err(_) => {}
        }
    }
    Err(match refused {
        Some(path) => io::Error::new(io::ErrorKind::PermissionDenied, format!("{} is not executable", path.display())),
        None if name.contains('/') => io::Error::new(io::ErrorKind::NotFound, "there is no such file"),
        None => io::Error::new(io::ErrorKind::NotFound, format!("there is no such program in PATH ({path})")),
    })
}

/// Starts it. A script without `#!` runs under `/bin/sh`, as shells have it.
pub(crate) fn start(what: &Start<'_>) -> io::Result<i32> {
    match spawn(what, what.program, what.argv) {
        Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => {
            let script = what.program.to_string_lossy().into_owned();
            let argv: Vec<String> =
                ["sh".to_owned(), script].into_iter().chain(what.argv.iter().skip(1).cloned()).collect();
            spawn(what, Path::new("/bin/sh"), &argv)
        }
        other => other,
    }
}

fn spawn(what: &Start<'_>, program: &Path, argv: &[String]) -> io::Result<i32> {
    let program = text(program.as_os_str())?;
    let cwd = text(what.cwd.as_os_str())?;
    let argv = argv.iter().map(|word| text(OsStr::new(word))).collect::<io::Result<Vec<_>>>()?;
    let vars: Vec<CString> = what
        .vars
        .iter()
        .map(|(name, value)| text(OsStr::new(&format!("{name}={value}"))))
        .collect::<io::Result<_>>()?;
    let (argv, envp) = (pointers(&argv), pointers(&vars));
    let mut actions = Actions::new()?;
    let mut attributes = Attributes::new()?;
    actions.configure(&cwd, [what.stdin, what.stdout, what.stderr])?;
    attributes.configure()?;
    let mut pid = 0;
    #[expect(unsafe_code, reason = "posix_spawn; every pointer outlives the call, both lists end in null")]
    let code = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            program.as_ptr(),
            &raw const actions.0,
            &raw const attributes.0,
            argv.as_ptr(),
            envp.as_ptr(),
        )
    };
    checked(code).map(|()| pid)
}

fn text(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "an argument, variable or path holds a zero byte"))
}

fn pointers(words: &[CString]) -> Vec<*mut c_char> {
    words.iter().map(|word| word.as_ptr().cast_mut()).chain([std::ptr::null_mut()]).collect()
}

/// The `posix_spawn` family returns the error instead of setting it.
fn checked(code: i32) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

/// `posix_spawn_file_actions_t`, destroyed when dropped.
struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new() -> io::Result<Actions> {
        let mut raw = MaybeUninit::uninit();
        #[expect(unsafe_code, reason = "init fills the value it is given; it is read only on success")]
        unsafe {
            checked(libc::posix_spawn_file_actions_init(raw.as_mut_ptr()))?;
            Ok(Actions(raw.assume_init()))
        }
    }

    fn configure(&mut self, cwd: &CString, stdio: [RawFd; 3]) -> io::Result<()> {
        #[expect(unsafe_code, reason = "the actions are initialised and copy the path")]
        unsafe {
            for (target, fd) in stdio.into_iter().enumerate() {
                checked(libc::posix_spawn_file_actions_adddup2(&raw mut self.0, fd, target as RawFd))?;
            }
            checked(libc::posix_spawn_file_actions_addchdir_np(&raw mut self.0, cwd.as_ptr()))
        }
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "initialised in new, destroyed once")]
        unsafe {
            libc::posix_spawn_file_actions_destroy(&raw mut self.0);
        }
    }
}

/// `posix_spawnattr_t`, destroyed when dropped.
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new() -> io::Result<Attributes> {
        let mut raw = MaybeUninit::uninit();
        #[expect(unsafe_code, reason = "init fills the value it is given; it is read only on success")]
        unsafe {
            checked(libc::posix_spawnattr_init(raw.as_mut_ptr()))?;
            Ok(Attributes(raw.assume_init()))
        }
    }

    /// Own session; no signal blocked; every signal at its default, since Rust ignores SIGPIPE and that is inherited.
    /// Setting those that are at their default anyway would cost sixty system calls.
    fn configure(&mut self) -> io::Result<()> {
        let flags = i32::from(libc::POSIX_SPAWN_SETSID) | libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK;
        #[expect(unsafe_code, reason = "the attributes are initialised, the sets are filled before they are read")]
        unsafe {
            let mut none = MaybeUninit::uninit();
            libc::sigemptyset(none.as_mut_ptr());
            checked(libc::posix_spawnattr_setsigmask(&raw mut self.0, none.as_ptr()))?;
            checked(libc::posix_spawnattr_setsigdefault(&raw mut self.0, ignored_signals()))?;
            checked(libc::posix_spawnattr_setflags(&raw mut self.0, flags as libc::c_short))
        }
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "initialised in new, destroyed once")]
        unsafe {
            libc::posix_spawnattr_destroy(&raw mut self.0);
        }
    }
}

/// The signals that this process ignores, looked up once: it never changes them after its start. What has a handler goes
/// back to its default by the exec itself.
fn ignored_signals() -> &'static libc::sigset_t {
    static IGNORED: OnceLock<libc::sigset_t> = OnceLock::new();
    IGNORED.get_or_init(|| {
        #[expect(
            unsafe_code,
            reason = "the set is filled before it is read; each action is read only when it was given"
        )]
        unsafe {
            let mut set = MaybeUninit::uninit();
            libc::sigemptyset(set.as_mut_ptr());
            for signal in 1..=libc::SIGRTMAX() {
                let mut action = MaybeUninit::<libc::sigaction>::uninit();
                if libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
                    && action.assume_init_ref().sa_sigaction == libc::SIG_IGN
                {
                    libc::sigaddset(set.as_mut_ptr(), signal);
                }
            }
            set.assume_init()
        }
    })
}

/// A descriptor that becomes readable when a child ends. Blocks SIGCHLD in this thread; the process must have no other.
pub(crate) fn child_signals() -> io::Result<File> {
    #[expect(unsafe_code, reason = "the set is filled before it is read; a descriptor given back is ours alone")]
    unsafe {
        let mut set = MaybeUninit::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        checked(libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()))?;
        let fd = libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(File::from(OwnedFd::from_raw_fd(fd))) }
    }
}

/// Whether nobody but this open file holds the file open for writing: the kernel grants a lease only then.
pub(crate) fn is_sole_holder(file: &File) -> bool {
    #[expect(unsafe_code, reason = "fcntl on a descriptor that is open; the lease is given back at once")]
    unsafe {
        let fd = std::os::fd::AsRawFd::as_raw_fd(file);
        libc::fcntl(fd, libc::F_SETLEASE, libc::F_WRLCK) == 0 && libc::fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK) == 0
    }
}

/// Closes whatever was left open by who started this process, so that no pipe of theirs waits for us. Called first of
/// all, when nothing above the three standard streams is ours.
pub(crate) fn close_inherited() {
    #[expect(unsafe_code, reason = "nothing above 2 is owned by any value yet")]
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0);
    }
}
