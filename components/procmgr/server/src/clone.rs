//! fork, vfork and threads: clone(2).

use alloc::rc::Rc;
use alloc::vec;

use fsmgr_api::FsMgr;
use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_router::{Flow, SysResult};
use lsyscall_shim as shim;
use memmgr_api::{MemMgr, Space, UserMemory, SHIM_BASE, SHIM_DATA};

use crate::limits;
use crate::machine::Machine;
use crate::machine::Regs;
use crate::signal::Queue;
use crate::state::{AddressSpace, Continuation, Life, Parked, ProcIdx, Process, State, Thread};
use crate::timers::Timer;
use crate::usage::Used;
use crate::{Parts, ProcMgr};

/// Flags of clone(2) that matter here.
pub mod flags {
    /// Share memory.
    pub const VM: u64 = 0x100;
    /// Share root, working directory and umask.
    pub const FS: u64 = 0x200;
    /// Share descriptors.
    pub const FILES: u64 = 0x400;
    /// Share dispositions.
    pub const SIGHAND: u64 = 0x800;
    /// The parent waits until the child execs or ends.
    pub const VFORK: u64 = 0x4000;
    /// The child's parent is the caller's.
    pub const PARENT: u64 = 0x8000;
    /// Same thread group.
    pub const THREAD: u64 = 0x1_0000;
    /// Share what semaphores undo.
    pub const SYSVSEM: u64 = 0x4_0000;
    /// Set the thread pointer.
    pub const SETTLS: u64 = 0x8_0000;
    /// Write the child's id to the parent's memory.
    pub const PARENT_SETTID: u64 = 0x10_0000;
    /// Clear and wake at exit.
    pub const CHILD_CLEARTID: u64 = 0x20_0000;
    /// Write the child's id to its own memory.
    pub const CHILD_SETTID: u64 = 0x100_0000;
    /// Dispositions back to the default (clone3).
    pub const CLEAR_SIGHAND: u64 = 0x1_0000_0000;
    /// Give the parent a descriptor of the child.
    pub const PIDFD: u64 = 0x1000;
    /// Ignored by clone but for its conflicts.
    pub const DETACHED: u64 = 0x40_0000;
    /// A user namespace, which everybody may make.
    pub const NEWUSER: u64 = 0x1000_0000;
    /// Bits that are no flags of clone3 here (CLONE_INTO_CGROUP among them).
    pub const UNKNOWN: u64 = !0x1_ffff_ffff;
    /// Namespaces, which there are not.
    pub const NAMESPACES: u64 = 0x2_0000
        | 0x80
        | 0x0200_0000
        | 0x0400_0000
        | 0x0800_0000
        | 0x1000_0000
        | 0x2000_0000
        | 0x4000_0000;
}

/// One clone to carry out.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// CLONE_* flags without the exit signal.
    pub flags: u64,
    /// Signal for the parent at the child's end (0: none).
    pub exit_signal: i32,
    /// The child's stack pointer; 0: the caller's.
    pub stack: u64,
    /// Thread pointer for CLONE_SETTLS.
    pub tls: u64,
    /// Address for CLONE_PARENT_SETTID.
    pub parent_tid: u64,
    /// Address for CLONE_CHILD_SETTID and CLONE_CHILD_CLEARTID.
    pub child_tid: u64,
    /// Address for CLONE_PIDFD.
    pub pidfd: u64,
    /// The child's id, if the caller chooses it.
    pub set_tid: Option<i32>,
}

impl<P: Parts> ProcMgr<P> {
    /// Starts a clone: the caller first saves its vector registers in the shim page, because the kernel lets nobody else
    /// read them.
    pub(crate) fn clone_begin(&mut self, t: ThreadIdx, request: Request) -> SysResult {
        let f = request.flags;
        if f & flags::THREAD != 0 && f & flags::PIDFD != 0
            || f & flags::SIGHAND != 0 && f & flags::VM == 0
            || f & flags::THREAD != 0 && f & flags::SIGHAND == 0
            || f & flags::THREAD != 0 && f & flags::VFORK != 0
            || f & flags::SIGHAND != 0 && f & flags::CLEAR_SIGHAND != 0
            || request.exit_signal > 64
        {
            return Err(Errno::EINVAL);
        }
        if f & flags::NAMESPACES != 0 {
            let (_, process) = self.caller_process(t).ok_or(Errno::ESRCH)?;
            let free = f & flags::NAMESPACES == flags::NEWUSER || process.ids.privileged();
            return Err(if free { Errno::EINVAL } else { Errno::EPERM });
        }
        if f & flags::SIGHAND != 0 && f & flags::THREAD == 0 {
            // Shared dispositions between processes: no program of the kinds Persona runs asks for it.
            return Err(Errno::EINVAL);
        }
        let (p, process) = self.caller_process(t).ok_or(Errno::ESRCH)?;
        let uid = process.ids.uid[0];
        let nproc = process.limits.soft(limits::NPROC);
        if uid != 0 {
            let mine = self
                .processes()
                .filter(|(_, q)| q.ids.uid[0] == uid)
                .map(|(_, q)| q.threads.len() as u64);
            if mine.sum::<u64>() >= nproc {
                return Err(Errno::EAGAIN);
            }
        }
        self.free_thread()?;
        if self.ready(t).0 != 0 && f & flags::THREAD == 0 {
            // Signals first, then the call again: fork is never interrupted half-way.
            let regs = self.machine.read(t);
            self.enter_user(t, regs, Some(Errno::ERESTARTNOINTR));
            return Ok(Flow::Taken);
        }
        let Some(area) = self.take_area(p) else {
            self.set_state(t, State::Parked(Parked::Clone(request)));
            return Ok(Flow::Park);
        };
        self.send_to_save(t, request, area);
        Ok(Flow::Taken)
    }

    /// Sends the caller of clone to the shim page, to save its vector registers.
    fn send_to_save(&mut self, t: ThreadIdx, clone: Request, area: usize) {
        let regs = self.machine.read(t);
        let mut to_shim = regs;
        to_shim.x[0] = area_address(area);
        to_shim.pc = SHIM_BASE + shim::at::SAVE_FP;
        let save = Continuation::Save { regs, clone, area };
        self.set_state(t, State::Shim(save));
        self.machine.write(t, &to_shim, true);
    }

    /// Takes a free save area of the process's address space.
    fn take_area(&mut self, p: ProcIdx) -> Option<usize> {
        let space = self.process(p)?.space.as_ref()?;
        let areas = space.fp_areas.get();
        let area = (!areas).trailing_zeros();
        if u64::from(area) >= shim::FP_AREAS {
            return None;
        }
        space.fp_areas.set(areas | 1 << area);
        Some(area as usize)
    }

    /// A save area is free again: the next clone that waits for one in this address space goes on.
    pub(crate) fn free_area(&mut self, t: ThreadIdx, area: usize) {
        let space = self
            .thread(t)
            .and_then(|th| self.process(th.process)?.space.clone());
        let Some(space) = space else {
            return;
        };
        let before = space.fp_areas.get();
        space.fp_areas.set(before & !(1 << area));
        if before.count_ones() as u64 == shim::FP_AREAS {
            // Only then can someone wait.
            self.wake_cloner(&space);
        }
    }

    fn wake_cloner(&mut self, space: &Rc<AddressSpace>) {
        let next = self.threads.iter().position(|thread| {
            thread.as_ref().is_some_and(|thread| {
                matches!(thread.state, State::Parked(Parked::Clone(_)))
                    && self
                        .process(thread.process)
                        .and_then(|p| p.space.as_ref())
                        .is_some_and(|s| Rc::ptr_eq(s, space))
            })
        });
        let Some(t) = next.map(|index| ThreadIdx(index as u16)) else {
            return;
        };
        let Some(p) = self.thread(t).map(|th| th.process) else {
            return;
        };
        if let Some(area) = self.take_area(p) {
            if let Some(Parked::Clone(request)) = self.unpark(t) {
                self.replies.forget(t);
                self.send_to_save(t, request, area);
            }
        }
    }

    /// The shim page has done its part for a thread; `pc` tells whether it is really there.
    pub(crate) fn continue_from_shim(&mut self, t: ThreadIdx, pc: u64) {
        let Some(State::Shim(continuation)) = self.set_state(t, State::Held) else {
            return;
        };
        let expected = match continuation {
            Continuation::Save { .. } => shim::at::SAVE_FP_SVC + 4,
            Continuation::Load { .. } => shim::at::LOAD_FP_SVC + 4,
            Continuation::Zero { .. } => shim::at::ZERO_FP_SVC + 4,
        };
        if pc != SHIM_BASE + expected {
            // A program jumped over a part of it: the worse for its vector registers.
            log::debug!("thread {} left the shim page at {pc:#x}", t.0);
        }
        match continuation {
            Continuation::Save {
                mut regs,
                clone,
                area,
            } => {
                match self.clone_finish(t, &regs, clone, area) {
                    Ok((tid, Some(child))) => {
                        regs.x[0] = tid as u64;
                        self.machine.stop(t);
                        self.machine.write(t, &regs, false);
                        self.set_state(t, State::Parked(Parked::Vfork(child)));
                        return;
                    }
                    Ok((tid, None)) => regs.x[0] = tid as u64,
                    Err(errno) => {
                        self.free_area(t, area);
                        regs.x[0] = errno.to_result() as u64;
                    }
                }
                self.enter_user(t, regs, None);
            }
            Continuation::Load { regs, area } => {
                self.free_area(t, area);
                self.enter_user(t, regs, None);
            }
            Continuation::Zero { regs } => self.enter_user(t, regs, None),
        }
    }

    /// Makes the new thread. Returns its id, and its process if the caller is to wait for it (vfork).
    fn clone_finish(
        &mut self,
        t: ThreadIdx,
        regs: &Regs,
        request: Request,
        area: usize,
    ) -> Result<(i32, Option<ProcIdx>), Errno> {
        let f = request.flags;
        let child = self.free_thread()?;
        self.machine.prepare(child)?;
        let (p, process) = self.caller_process(t).ok_or(Errno::ESRCH)?;
        let space = process.space.clone().ok_or(Errno::ESRCH)?;
        let tid = match request.set_tid {
            Some(tid) if self.is_taken(tid) => return Err(Errno::EEXIST),
            Some(tid) => tid,
            None => self.new_pid()?,
        };
        let parent_thread = self.thread(t).ok_or(Errno::ESRCH)?;
        let schedule = parent_thread.schedule.inherited();
        let thread = Thread {
            tid,
            process: p,
            blocked: parent_thread.blocked,
            saved_mask: None,
            pending: Queue::default(),
            altstack: if f & flags::VM != 0 && f & flags::VFORK == 0 {
                (0, 2, 0)
            } else {
                parent_thread.altstack
            },
            clear_child_tid: if f & flags::CHILD_CLEARTID != 0 {
                request.child_tid
            } else {
                0
            },
            state: State::Held,
            schedule,
            queued: false,
            fault: (0, 0),
            comm: parent_thread.comm,
            slack: (parent_thread.slack.0, parent_thread.slack.0),
        };
        let own_space = if f & flags::VM != 0 {
            space
        } else {
            let (mm, cap) = self.mem.mm_fork(space.mm)?;
            let copy = AddressSpace::new(mm, cap.0);
            copy.fp_areas.set(1 << area);
            Rc::new(copy)
        };
        let made = self.attach_clone(t, child, &own_space, f);
        if let Err(errno) = made {
            self.release_space(own_space);
            return Err(errno);
        }
        let child_process = if f & flags::THREAD != 0 {
            if let Some(process) = self.process_mut(p) {
                process.threads.push(child);
            }
            self.release_space(own_space);
            p
        } else {
            match self.new_process(t, tid, child, own_space, &request) {
                Ok(child_process) => child_process,
                Err((errno, space)) => {
                    self.undo_clone(child);
                    self.release_space(space);
                    return Err(errno);
                }
            }
        };
        self.enter_thread(
            child,
            Thread {
                process: child_process,
                ..thread
            },
        );
        if f & flags::PIDFD != 0 {
            if let Err(errno) = self.give_pidfd(t, child_process, request.pidfd) {
                self.forget_clone(child, child_process);
                return Err(errno);
            }
        }
        if f & flags::CHILD_SETTID != 0 {
            // A bad address is nobody's error, as in Linux.
            let _ = self
                .mem
                .copy_out(Space::Thread(child), request.child_tid, &tid.to_le_bytes());
        }
        self.machine.schedule(child, schedule.params());
        let mut start = *regs;
        start.x[0] = 0;
        if request.stack != 0 {
            start.sp = request.stack;
        }
        if f & flags::SETTLS != 0 {
            start.tpidr = request.tls;
        }
        let mut to_shim = start;
        to_shim.x[0] = area_address(area);
        to_shim.pc = SHIM_BASE + shim::at::LOAD_FP;
        let load = Continuation::Load { regs: start, area };
        self.set_state(child, State::Shim(load));
        self.note_change(child_process);
        self.publish_thread(child);
        self.publish_header();
        self.machine.write(child, &to_shim, true);
        if f & flags::PARENT_SETTID != 0 {
            let to = Space::Thread(t);
            let _ = self
                .mem
                .copy_out(to, request.parent_tid, &tid.to_le_bytes());
        }
        if f & flags::VM == 0 {
            // The area of a copied address space is the child's own: the parent's is free again.
            self.free_area(t, area);
        }
        Ok((tid, (f & flags::VFORK != 0).then_some(child_process)))
    }

    fn attach_clone(
        &mut self,
        t: ThreadIdx,
        child: ThreadIdx,
        space: &AddressSpace,
        f: u64,
    ) -> Result<(), Errno> {
        self.mem.attach(child, space.mm)?;
        let result = self.machine.set_space(child, space.vspace).and_then(|()| {
            self.fs.clone_thread(
                t,
                child,
                f & flags::FILES != 0,
                f & flags::FS != 0,
                f & flags::SYSVSEM != 0,
            )
        });
        if result.is_err() {
            let _ = self.mem.detach(child);
        }
        result
    }

    /// A new process that has not run yet goes again.
    fn forget_clone(&mut self, child: ThreadIdx, p: ProcIdx) {
        self.undo_clone(child);
        if self
            .threads
            .get_mut(child.index())
            .and_then(Option::take)
            .is_some()
        {
            self.counts.0 -= 1;
        }
        let space = self.process_mut(p).and_then(|p| p.space.take());
        if let Some(space) = space {
            self.release_space(space);
        }
        self.reap(p);
    }

    fn undo_clone(&mut self, child: ThreadIdx) {
        let _ = self.fs.exit(child);
        let _ = self.mem.detach(child);
    }

    fn new_process(
        &mut self,
        caller: ThreadIdx,
        pid: i32,
        leader: ThreadIdx,
        space: Rc<AddressSpace>,
        request: &Request,
    ) -> Result<ProcIdx, (Errno, Rc<AddressSpace>)> {
        let now = self.now();
        let Some((parent, from)) = self.caller_process(caller) else {
            return Err((Errno::ESRCH, space));
        };
        let real_parent = if request.flags & flags::PARENT != 0 {
            from.parent.unwrap_or(parent)
        } else {
            parent
        };
        let limited = from.limits.soft(crate::limits::CPU) != lsyscall_abi::consts::RLIM_INFINITY;
        let vfork = request.flags & flags::VFORK != 0;
        let comm = self.thread(caller).map_or(from.comm, |thread| thread.comm);
        let mut actions = from.actions.clone();
        if request.flags & flags::CLEAR_SIGHAND != 0 {
            actions.reset_for_exec();
        }
        let child = Process {
            pid,
            serial: 0,
            parent: Some(real_parent),
            pgid: from.pgid,
            sid: from.sid,
            threads: vec![leader],
            adopted: false,
            children: vec![],
            life: Life::Running,
            stop_unreported: false,
            continue_unreported: false,
            space: Some(space.clone()),
            actions,
            pending: Queue::default(),
            exit_signal: if request.flags & flags::PARENT != 0 {
                from.exit_signal
            } else {
                request.exit_signal
            },
            death_signal: 0,
            subreaper: false,
            has_execed: false,
            vfork_parent: vfork.then_some(caller),
            doomed: false,
            leader_status: None,
            comm,
            changed: false,
            ids: from.ids,
            limits: from.limits,
            itimer: Timer::default(),
            cpu_itimers: [Timer::default(); 2],
            look_at: 0,
            timers: vec![],
            kept: from.kept,
            layout: from.layout,
            start_ns: now,
            used: Used::default(),
            children_used: Used::default(),
        };
        let index = self.enter_process(child).map_err(|errno| (errno, space))?;
        if let Some(parent) = self.process_mut(real_parent) {
            parent.children.push(index);
        }
        if limited {
            self.plan_look(index);
            self.rearm();
        }
        Ok(index)
    }

    /// vfork's parent goes on.
    pub(crate) fn release_vfork(&mut self, p: ProcIdx) {
        let Some(parent) = self.process_mut(p).and_then(|p| p.vfork_parent.take()) else {
            return;
        };
        match self.thread(parent).map(|th| &th.state) {
            Some(&State::Parked(Parked::Vfork(child))) if child == p => {
                let regs = self.machine.read(parent);
                self.set_state(parent, State::Entering(regs, None));
                self.look(parent);
            }
            // It has been killed meanwhile.
            _ => {}
        }
    }

    /// Drops one hold on an address space; the last one ends it.
    pub(crate) fn release_space(&mut self, space: Rc<AddressSpace>) {
        if let Some(space) = Rc::into_inner(space) {
            let _ = self.mem.mm_drop(space.mm);
            self.machine.drop_space(space.vspace);
        }
    }
}

/// Address of a save area in every process.
fn area_address(area: usize) -> u64 {
    SHIM_DATA + area as u64 * shim::FP_AREA_BYTES
}
