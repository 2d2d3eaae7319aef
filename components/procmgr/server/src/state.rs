//! Threads and processes.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

use fsmgr_api::Creds;
use lsyscall_abi::consts::cap::CAP_SYS_ADMIN;
use lsyscall_abi::{Errno, SigSet, ThreadIdx};
use memmgr_api::Mm;

use crate::caps::Caps;
use crate::limits::Limits;
use crate::machine::Regs;
use crate::schedule::Schedule;
use crate::signal::action::Actions;
use crate::signal::Queue;
use crate::timers::{PosixTimer, Timer};
use crate::usage::Used;

/// Index of a process in the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcIdx(pub usize);

/// An address space and the capability that puts threads into it; shared by vfork's parent and child.
#[derive(Debug)]
pub struct AddressSpace {
    /// memmgr's name for it.
    pub mm: Mm,
    /// VSpace capability pointer.
    pub vspace: u64,
    /// Save areas of the shim's data page in use (bit mask).
    pub fp_areas: Cell<u32>,
}

impl AddressSpace {
    /// With no save area in use.
    pub fn new(mm: Mm, vspace: u64) -> Self {
        AddressSpace {
            mm,
            vspace,
            fp_areas: Cell::new(0),
        }
    }
}

/// What a thread goes through in the shim page before it goes on with registers of its own.
#[derive(Clone, Debug)]
pub enum Continuation {
    /// It saves its vector registers; then the clone it called for is carried out.
    Save {
        /// Its registers behind the `svc` of clone.
        regs: Regs,
        /// What it asked for.
        clone: crate::clone::Request,
        /// Save area.
        area: usize,
    },
    /// A new thread loads the vector registers of its creator.
    Load {
        /// Its registers.
        regs: Regs,
        /// Save area.
        area: usize,
    },
    /// A new program clears the vector registers.
    Zero {
        /// Its registers.
        regs: Regs,
    },
}

/// A call parked by procmgr itself.
#[derive(Clone, Debug)]
pub enum Parked {
    /// wait4 and waitid.
    Wait(crate::wait::Request),
    /// rt_sigsuspend.
    Suspend,
    /// rt_sigtimedwait: signals, where siginfo goes (0: nowhere), monotonic deadline (ns).
    SigWait {
        /// Wanted.
        set: SigSet,
        /// siginfo_t's address or 0.
        info: u64,
        /// Monotonic nanoseconds; `u64::MAX`: none.
        deadline: u64,
    },
    /// vfork's parent, by its child; the registers that it goes on with are in the kernel.
    Vfork(ProcIdx),
    /// clone, until one of the shim's save areas is free.
    Clone(crate::clone::Request),
}

impl Parked {
    /// How a signal ends the call (signal(7)); `None`: it does not.
    pub fn interrupted(&self) -> Option<Errno> {
        match self {
            Parked::Wait(_) => Some(Errno::ERESTARTSYS),
            Parked::Suspend => Some(Errno::ERESTARTNOHAND),
            Parked::SigWait { .. } => Some(Errno::EINTR),
            Parked::Vfork(_) => None,
            Parked::Clone(_) => Some(Errno::ERESTARTNOINTR),
        }
    }
}

/// Where a thread is. Every change goes through `ProcMgr::set_state`.
#[derive(Clone, Debug)]
pub enum State {
    /// In its program, or in a call that another component serves.
    User,
    /// In procmgr's hands right now: in a call being served, or on its way back to its program.
    Held,
    /// In a call that waits here.
    Parked(Parked),
    /// In the shim page.
    Shim(Continuation),
    /// Stopped by job control, its registers in the kernel; how the call that it was in ended, to be acted upon when it goes
    /// on.
    Stopped(Option<Errno>),
    /// About to go back to its program with these registers, by way of its signals; how its call ended, if interrupted.
    Entering(Regs, Option<Errno>),
}

impl State {
    /// Whether it waits for something else than the processor.
    pub fn waits(&self) -> bool {
        matches!(self, State::Parked(_) | State::Stopped(_))
    }
}

/// A Linux thread.
#[derive(Debug)]
pub struct Thread {
    /// Thread id.
    pub tid: i32,
    /// Its process.
    pub process: ProcIdx,
    /// Blocked signals.
    pub blocked: SigSet,
    /// Mask to go back to after a call that waits with another one.
    pub saved_mask: Option<SigSet>,
    /// Signals for this thread alone.
    pub pending: Queue,
    /// Alternate stack: address, flags, size.
    pub altstack: (u64, i32, u64),
    /// Address to clear and wake at exit (0: none).
    pub clear_child_tid: u64,
    /// Where it is.
    pub state: State,
    /// How it is scheduled.
    pub schedule: Schedule,
    /// It is in the list of threads to look at.
    pub queued: bool,
    /// Address and ESR of the last fault, for signal frames.
    pub fault: (u64, u64),
    /// Name (PR_SET_NAME).
    pub comm: [u8; 16],
    /// Timer slack in nanoseconds: now, and by default.
    pub slack: (u64, u64),
}

/// Most timers of timer_create a process can have.
pub const MAX_TIMERS: usize = 32;

/// Life of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It has threads that may run.
    Running,
    /// Job control stopped it by this signal.
    Stopped(i32),
    /// It has ended with this wait status and waits to be waited for.
    Zombie(i32),
}

/// A process (thread group).
#[derive(Debug)]
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Its number, which no other process ever has.
    pub serial: u64,
    /// Its parent; init's is `None`.
    pub parent: Option<ProcIdx>,
    /// Process group.
    pub pgid: i32,
    /// Session.
    pub sid: i32,
    /// Its threads; the first is the leader while that lives.
    pub threads: Vec<ThreadIdx>,
    /// It came to its parent as an orphan.
    pub adopted: bool,
    /// Its children.
    pub children: Vec<ProcIdx>,
    /// Life.
    pub life: Life,
    /// The stop (signal) has not been reported by wait yet.
    pub stop_unreported: bool,
    /// The continuation has not been reported by wait yet.
    pub continue_unreported: bool,
    /// Address space; `None` when it has ended.
    pub space: Option<Rc<AddressSpace>>,
    /// Dispositions.
    pub actions: Actions,
    /// Signals for whichever thread takes them.
    pub pending: Queue,
    /// Signal for the parent at the end (0: none).
    pub exit_signal: i32,
    /// Signal for this process when its parent ends (PR_SET_PDEATHSIG).
    pub death_signal: i32,
    /// Takes orphaned descendants (PR_SET_CHILD_SUBREAPER).
    pub subreaper: bool,
    /// It has called execve since it was forked (for setpgid).
    pub has_execed: bool,
    /// Someone in vfork waits for it.
    pub vfork_parent: Option<ThreadIdx>,
    /// SIGKILL has been sent.
    pub doomed: bool,
    /// Wait status of its leader, if that has ended before other threads.
    pub leader_status: Option<i32>,
    /// Name of its leader.
    pub comm: [u8; 16],
    /// It has changed since it was published.
    pub changed: bool,
    /// User, saved and file-system ids.
    pub ids: Ids,
    /// Resource limits.
    pub limits: Limits,
    /// ITIMER_REAL.
    pub itimer: Timer,
    /// ITIMER_VIRTUAL and ITIMER_PROF, in processor time.
    pub cpu_itimers: [Timer; 2],
    /// When to look at its clocks of processor time, monotonic nanoseconds; 0: never.
    pub look_at: u64,
    /// Timers of timer_create, at most [`MAX_TIMERS`].
    pub timers: Vec<PosixTimer>,
    /// Kept for the calls that only keep: I/O priority, dumpable, no_new_privs.
    pub kept: Kept,
    /// Strings on the initial stack: arg_start, arg_end, env_start, env_end, stack.
    pub layout: [u64; 5],
    /// Monotonic time of the fork, ns.
    pub start_ns: u64,
    /// What its threads that have ended have used, and the address spaces it had before.
    pub used: Used,
    /// What children have used that were waited for.
    pub children_used: Used,
}

/// Identity: real, effective, saved, file-system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// User ids.
    pub uid: [u32; 4],
    /// Group ids.
    pub gid: [u32; 4],
    /// Supplementary groups in use.
    pub group_count: usize,
    /// Supplementary groups.
    pub groups: [u32; fsmgr_api::MAX_GROUPS],
    /// Capabilities.
    pub caps: Caps,
}

impl Ids {
    /// root:root.
    pub const ROOT: Ids = Ids {
        uid: [0; 4],
        gid: [0; 4],
        group_count: 0,
        groups: [0; fsmgr_api::MAX_GROUPS],
        caps: Caps::ROOT,
    };

    /// Whether it may do what no capability of its own stands for.
    pub fn privileged(&self) -> bool {
        self.caps.has(CAP_SYS_ADMIN)
    }

    /// Gives it other user ids, and the capabilities that go with them.
    pub fn set_uids(&mut self, uid: [u32; 4]) {
        self.caps.ids_changed(&self.uid, &uid);
        self.uid = uid;
    }

    /// As the file manager wants it.
    pub fn creds(&self) -> Creds {
        Creds {
            uid: self.uid[3],
            gid: self.gid[3],
            real_uid: self.uid[0],
            real_gid: self.gid[0],
            group_count: self.group_count as u32,
            groups: self.groups,
            capabilities: self.caps.effective,
        }
    }
}

/// Settings that calls keep and give back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kept {
    /// ioprio_set.
    pub ioprio: i32,
    /// PR_SET_NO_NEW_PRIVS.
    pub no_new_privs: bool,
    /// PR_SET_DUMPABLE, stored inverted so that the default is "dumpable".
    pub undumpable: bool,
    /// personality(2).
    pub personality: u32,
    /// PR_SET_THP_DISABLE.
    pub no_huge_pages: bool,
    /// PR_MCE_KILL.
    pub machine_check: u8,
}

impl Process {
    /// Whether it has ended.
    pub fn is_zombie(&self) -> bool {
        matches!(self.life, Life::Zombie(_))
    }

    /// Whether job control has stopped it.
    pub fn is_stopped(&self) -> bool {
        matches!(self.life, Life::Stopped(_))
    }

    /// Whether it is init.
    pub fn is_init(&self) -> bool {
        self.pid == 1
    }
}
