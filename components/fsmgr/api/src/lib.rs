//! Interface of the file manager for procmgr: a thread's files through its life, and what files have to tell processes.
//!
//! It says what crosses the border and nothing else: it must hold no behaviour. Programs' own calls do not come this way.
#![no_std]
#![deny(unsafe_code)]

use lsyscall_abi::ThreadIdx;
use memmgr_api::Vmo;
use persona_ipc::{interface, wire_struct, Bytes, Reader, Wire, Writer};

/// Supplementary groups a process can have.
pub const MAX_GROUPS: usize = 32;

/// Who a process is, as file access sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Creds {
    /// File-system user id.
    pub uid: u32,
    /// File-system group id.
    pub gid: u32,
    /// Real user id (for access(2)).
    pub real_uid: u32,
    /// Real group id (for access(2)).
    pub real_gid: u32,
    /// Groups in use.
    pub group_count: u32,
    /// Supplementary groups.
    pub groups: [u32; MAX_GROUPS],
    /// Effective capabilities, Linux's bit numbers.
    pub capabilities: u64,
}

impl Creds {
    /// Root with all capabilities.
    pub const ROOT: Creds = Creds {
        uid: 0,
        gid: 0,
        real_uid: 0,
        real_gid: 0,
        group_count: 0,
        groups: [0; MAX_GROUPS],
        capabilities: u64::MAX,
    };
}

impl Wire for Creds {
    fn put(&self, w: &mut Writer<'_>) {
        for id in [
            self.uid,
            self.gid,
            self.real_uid,
            self.real_gid,
            self.group_count,
        ] {
            id.put(w);
        }
        for group in self.groups.iter().take(self.group_count as usize) {
            group.put(w);
        }
        self.capabilities.put(w);
    }
    fn get(r: &mut Reader<'_>) -> Option<Self> {
        let mut creds = Creds {
            uid: u32::get(r)?,
            gid: u32::get(r)?,
            real_uid: u32::get(r)?,
            real_gid: u32::get(r)?,
            group_count: u32::get(r)?,
            ..Creds::ROOT
        };
        if creds.group_count as usize > MAX_GROUPS {
            return None;
        }
        for i in 0..creds.group_count as usize {
            creds.groups[i] = u32::get(r)?;
        }
        creds.capabilities = u64::get(r)?;
        Some(creds)
    }
}

wire_struct! {
    /// A file opened to be executed. It holds a reference until `exec_commit` or `exec_abort`.
    #[derive(Clone, Copy, Debug)]
    pub struct ExecFile {
        /// Names the open file in `exec_commit` and `exec_abort`.
        pub token: u32,
        /// Its contents.
        pub vmo: Vmo,
        /// Its size in bytes.
        pub size: u64,
        /// st_mode (set-user-id and set-group-id bits are already gone where the mount or the rules say so).
        pub mode: u32,
        /// Owner.
        pub uid: u32,
        /// Group.
        pub gid: u32,
        /// Inode number, for /proc/PID/maps.
        pub ino: u64,
    }
}

/// Whom a signal from the file manager is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One thread (SIGPIPE).
    Thread(ThreadIdx),
    /// A process by id.
    Process(i32),
    /// A process group by id (terminal signals).
    Group(i32),
}

impl Wire for Target {
    fn put(&self, w: &mut Writer<'_>) {
        let (kind, id) = match self {
            Target::Thread(thread) => (0u64, u64::from(thread.0)),
            Target::Process(pid) => (1, *pid as u32 as u64),
            Target::Group(pgid) => (2, *pgid as u32 as u64),
        };
        w.word(kind << 32 | id);
    }
    fn get(r: &mut Reader<'_>) -> Option<Self> {
        let word = r.word()?;
        match word >> 32 {
            0 => Some(Target::Thread(ThreadIdx(u16::try_from(word).ok()?))),
            1 => Some(Target::Process(word as u32 as i32)),
            2 => Some(Target::Group(word as u32 as i32)),
            _ => None,
        }
    }
}

wire_struct! {
    /// A signal that files cause.
    #[derive(Clone, Copy, Debug)]
    pub struct FsEvent {
        /// For whom.
        pub target: Target,
        /// Signal number; 0: the thread's [`SignalWish`] changed.
        pub signal: u8,
        /// si_code.
        pub code: i32,
        /// First word of siginfo's union (si_band, or si_pid and si_uid).
        pub first: u64,
        /// Second word (si_fd, si_value).
        pub second: u64,
    }
}

wire_struct! {
    /// What a parked call wants of its thread's signals.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct SignalWish {
        /// The mask with which it waits (ppoll, pselect6, epoll_pwait); `None`: the thread's own.
        pub mask: Option<u64>,
        /// It reads a signalfd: one pending signal of these is to be taken for it and given by `give_signal`.
        pub take: Option<u64>,
        /// There are signalfds: `signals_pending` is wanted from now on.
        pub watched: bool,
    }
}

wire_struct! {
    /// A signal as a signalfd tells it.
    #[derive(Clone, Copy, Debug)]
    pub struct TakenSignal {
        /// Number.
        pub signal: u8,
        /// si_errno.
        pub errno: i32,
        /// si_code.
        pub code: i32,
        /// First word of siginfo's union (si_pid and si_uid, or si_addr).
        pub first: u64,
        /// Second word (si_status, si_value).
        pub second: u64,
    }
}

/// [`FsEvent::signal`]: no signal, but the thread has got a new name, which [`FsMgr::new_name`] tells.
pub const NEW_NAME: u8 = 128;

wire_struct! {
    /// A process, as its descriptors name it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct PidFdInfo {
        /// Its id.
        pub pid: i32,
        /// Its number, which no other process ever has.
        pub serial: u64,
        /// O_NONBLOCK is set: waitid does not wait.
        pub nonblock: bool,
    }
}

/// What the first process has as its standard input and output.
pub const STDIO_TTY: u8 = 0;
/// The host's input and output as a pipe: no terminal.
pub const STDIO_PIPE: u8 = 1;

interface! {
    /// What procmgr calls.
    pub interface FsMgr, FsMgrService, FsMgrClient, fsmgr_dispatch {
        /// Gives the first thread its descriptors 0, 1, 2 ([`STDIO_TTY`] or [`STDIO_PIPE`]), root directory and working
        /// directory. `ENOENT` if there is no such directory.
        1 => fn init_process(thread: ThreadIdx, stdio: u8, cwd: Bytes) -> ();
        /// A new thread: shares descriptors (CLONE_FILES) and directories (CLONE_FS) with its parent, or gets copies; shares
        /// what semaphores undo (CLONE_SYSVSEM), or begins with nothing.
        2 => fn clone_thread(parent: ThreadIdx, child: ThreadIdx, share_files: bool, share_fs: bool, share_undo: bool) -> ();
        /// The thread is gone: drops its files (the last sharer closes them), directories, parked calls.
        3 => fn exit(thread: ThreadIdx) -> ();
        /// Opens the file at a user address for execution, relative to `dirfd`, with `flags` of execveat. `ENOENT`, `EACCES`,
        /// `ELOOP`, `ENOTDIR`, `ENAMETOOLONG`, `EFAULT`, `ETXTBSY`.
        4 => fn open_exec(thread: ThreadIdx, dirfd: i32, path: u64, flags: u32) -> ExecFile;
        /// The same for a path procmgr knows (a `#!` or ELF interpreter, init).
        5 => fn open_exec_path(thread: ThreadIdx, path: Bytes) -> ExecFile;
        /// The thread runs the file from now on: /proc/PID/exe, descriptors unshared, close-on-exec ones closed.
        6 => fn exec_commit(thread: ThreadIdx, token: u32) -> ();
        /// The file is not executed after all.
        7 => fn exec_abort(token: u32) -> ();
        /// The thread's credentials from now on.
        8 => fn set_creds(thread: ThreadIdx, creds: Creds) -> ();
        /// Interrupts a parked call of the thread: how the call ends, `None` if none was parked. A call that has moved bytes
        /// already is completed with their number, and `None` is answered.
        9 => fn cancel(thread: ThreadIdx) -> Option<i32>;
        /// The next signal for procmgr.
        10 => fn next_event() -> Option<FsEvent>;
        /// A session leader has gone: its terminal is free again and its foreground group gets SIGHUP and SIGCONT.
        11 => fn session_ended(sid: i32) -> ();
        /// RLIMIT_NOFILE, RLIMIT_FSIZE and RLIMIT_MSGQUEUE (soft) of the thread's process.
        12 => fn set_limits(thread: ThreadIdx, nofile: u64, fsize: u64, queues: u64) -> ();
        /// The path of the file opened for execution, as /proc/PID/exe would show it.
        13 => fn exec_path(token: u32) -> Bytes;
        /// Host name and domain name, for /proc/sys/kernel.
        14 => fn set_names(host: Bytes, domain: Bytes) -> ();
        /// What the thread's parked call wants of its signals. An event with signal 0 says that this changed.
        15 => fn signal_wish(thread: ThreadIdx) -> SignalWish;
        /// The signals that are pending for the thread, its process's included; told whenever one is added, once a
        /// [`SignalWish`] said that somebody watches.
        16 => fn signals_pending(thread: ThreadIdx, pending: u64) -> ();
        /// The answer to [`SignalWish::take`]: the signal taken, `None` if none was pending; and what is pending now.
        17 => fn give_signal(thread: ThreadIdx, signal: Option<TakenSignal>, pending: u64) -> ();
        /// The name written to the thread's /proc/PID/comm, NUL padded, as two words; told once, after an event
        /// [`NEW_NAME`].
        40 => fn new_name(thread: ThreadIdx) -> Option<(u64, u64)>;
        /// Gives the thread a descriptor, closed at exec, of a process, which may have `ended` already. `EMFILE`, `ENFILE`.
        18 => fn pidfd_open(thread: ThreadIdx, process: PidFdInfo, ended: bool) -> i32;
        /// The process that a descriptor of the thread means. `EBADF` if it means none.
        19 => fn pidfd_of(thread: ThreadIdx, fd: i32) -> PidFdInfo;
        /// The process of that number has ended: its descriptors are readable now.
        20 => fn process_ended(serial: u64) -> ();
        /// Gives `thread` a descriptor, closed at exec, of what `fd` is to the thread `from`. `EBADF`, `EMFILE`.
        21 => fn take_fd(thread: ThreadIdx, from: ThreadIdx, fd: i32) -> i32;
        /// Closes a descriptor of a thread.
        22 => fn close_fd(thread: ThreadIdx, fd: i32) -> ();
        /// kcmp(2) of KCMP_FILE (0), KCMP_FILES (2), KCMP_FS (3): 0 if the same, 1 or 2 for their order. `EBADF`.
        23 => fn compare(first: ThreadIdx, fd1: i32, second: ThreadIdx, fd2: i32, kind: u8) -> i32;
        /// Gives a thread descriptors, directories, or what semaphores undo of its own (unshare(2)).
        24 => fn unshare(thread: ThreadIdx, files: bool, fs: bool, undo: bool) -> ();
    }
}
