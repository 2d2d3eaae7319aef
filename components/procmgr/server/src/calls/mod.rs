//! The system calls procmgr serves: thin handlers, one file per family.

mod capabilities;
mod identity;
mod limits;
mod pidfd;
mod prctl;
mod process;
mod sched;
mod signals;
pub mod system;
mod timers;

use lsyscall_abi::*;
use lsyscall_router::{Caller, ProcCalls, SysResult};
use memmgr_api::{Space, UserMemory};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::{Parts, ProcMgr};

impl<P: Parts> ProcMgr<P> {
    /// Reads a structure from the caller's memory. `EFAULT`.
    pub(crate) fn get<T: FromBytes + IntoBytes + Default>(
        &self,
        c: &Caller,
        from: UserPtr<T>,
    ) -> Result<T, Errno> {
        let mut value = T::default();
        self.mem
            .copy_in(Space::Thread(c.thread), from.addr(), value.as_mut_bytes())?;
        Ok(value)
    }

    /// Writes a structure to the caller's memory. `EFAULT`.
    pub(crate) fn put<T: IntoBytes + Immutable>(
        &self,
        c: &Caller,
        to: UserPtr<T>,
        value: &T,
    ) -> Result<(), Errno> {
        self.mem
            .copy_out(Space::Thread(c.thread), to.addr(), value.as_bytes())
    }

    /// Writes a structure if the pointer is not null. `EFAULT`.
    pub(crate) fn put_opt<T: IntoBytes + Immutable>(
        &self,
        c: &Caller,
        to: UserPtr<T>,
        value: &T,
    ) -> Result<(), Errno> {
        if to.is_null() {
            return Ok(());
        }
        self.put(c, to, value)
    }
}

/// Forwards each call of the table to the method `sys_<name>` of the family's file.
macro_rules! forward {
    ($( $name:ident => $method:ident ( $($arg:ident : $ty:ty),* ); )*) => {
        impl<P: Parts> ProcCalls for ProcMgr<P> {
            $(
                fn $name(&mut self, c: &Caller, $($arg: $ty),*) -> SysResult {
                    self.$method(c, $($arg),*)
                }
            )*
        }
    };
}

forward! {
    ioprio_set => sys_ioprio_set(which: i32, who: i32, ioprio: i32);
    ioprio_get => sys_ioprio_get(which: i32, who: i32);
    capget => sys_capget(hdrp: UserPtr<CapHeader>, datap: UserAddr);
    capset => sys_capset(hdrp: UserPtr<CapHeader>, datap: UserAddr);
    personality => sys_personality(persona: u32);
    exit => sys_exit(status: i32);
    exit_group => sys_exit_group(status: i32);
    waitid => sys_waitid(idtype: u32, id: Pid, infop: UserPtr<SigInfo>, options: WaitOptions, rusage: UserPtr<Rusage>);
    set_tid_address => sys_set_tid_address(tidptr: UserPtr<i32>);
    unshare => sys_unshare(flags: CloneFlags);
    getitimer => sys_getitimer(which: u32, curr_value: UserPtr<Itimerval>);
    setitimer => sys_setitimer(which: u32, new_value: UserPtr<Itimerval>, old_value: UserPtr<Itimerval>);
    timer_create => sys_timer_create(clockid: ClockId, sevp: UserAddr, timerid: UserPtr<i32>);
    timer_gettime => sys_timer_gettime(timerid: i32, curr_value: UserPtr<Itimerspec>);
    timer_getoverrun => sys_timer_getoverrun(timerid: i32);
    timer_settime => sys_timer_settime(timerid: i32, flags: TimerFlags, new_value: UserPtr<Itimerspec>, old_value: UserPtr<Itimerspec>);
    timer_delete => sys_timer_delete(timerid: i32);
    syslog => sys_syslog(kind: i32, buf: UserSlice);
    sched_setparam => sys_sched_setparam(pid: Pid, param: UserPtr<SchedParam>);
    sched_setattr => sys_sched_setattr(pid: Pid, attr: UserAddr, flags: u32);
    sched_getattr => sys_sched_getattr(pid: Pid, attr: UserAddr, size: u32, flags: u32);
    sched_setscheduler => sys_sched_setscheduler(pid: Pid, policy: i32, param: UserPtr<SchedParam>);
    sched_getscheduler => sys_sched_getscheduler(pid: Pid);
    sched_getparam => sys_sched_getparam(pid: Pid, param: UserPtr<SchedParam>);
    sched_setaffinity => sys_sched_setaffinity(pid: Pid, mask: UserSlice);
    sched_getaffinity => sys_sched_getaffinity(pid: Pid, mask: UserSlice);
    sched_yield => sys_sched_yield();
    sched_get_priority_max => sys_sched_get_priority_max(policy: i32);
    sched_get_priority_min => sys_sched_get_priority_min(policy: i32);
    sched_rr_get_interval => sys_sched_rr_get_interval(pid: Pid, tp: UserPtr<Timespec>);
    restart_syscall => sys_restart_syscall();
    kill => sys_kill(pid: Pid, sig: Signal);
    tkill => sys_tkill(tid: Pid, sig: Signal);
    tgkill => sys_tgkill(tgid: Pid, tid: Pid, sig: Signal);
    sigaltstack => sys_sigaltstack(ss: UserPtr<StackT>, old_ss: UserPtr<StackT>);
    rt_sigsuspend => sys_rt_sigsuspend(mask: UserPtr<SigSet>, sigsetsize: usize);
    rt_sigaction => sys_rt_sigaction(sig: Signal, act: UserPtr<SigAction>, oldact: UserPtr<SigAction>, sigsetsize: usize);
    rt_sigprocmask => sys_rt_sigprocmask(how: u32, set: UserPtr<SigSet>, oldset: UserPtr<SigSet>, sigsetsize: usize);
    rt_sigpending => sys_rt_sigpending(set: UserPtr<SigSet>, sigsetsize: usize);
    rt_sigtimedwait =>
        sys_rt_sigtimedwait(set: UserPtr<SigSet>, info: UserPtr<SigInfo>, timeout: UserPtr<Timespec>, sigsetsize: usize);
    rt_sigqueueinfo => sys_rt_sigqueueinfo(tgid: Pid, sig: Signal, info: UserPtr<SigInfo>);
    rt_sigreturn => sys_rt_sigreturn();
    setpriority => sys_setpriority(which: i32, who: i32, prio: i32);
    getpriority => sys_getpriority(which: i32, who: i32);
    reboot => sys_reboot(magic1: u32, magic2: u32, cmd: u32, arg: UserAddr);
    setregid => sys_setregid(rgid: Gid, egid: Gid);
    setgid => sys_setgid(gid: Gid);
    setreuid => sys_setreuid(ruid: Uid, euid: Uid);
    setuid => sys_setuid(uid: Uid);
    setresuid => sys_setresuid(ruid: Uid, euid: Uid, suid: Uid);
    getresuid => sys_getresuid(ruid: UserPtr<u32>, euid: UserPtr<u32>, suid: UserPtr<u32>);
    setresgid => sys_setresgid(rgid: Gid, egid: Gid, sgid: Gid);
    getresgid => sys_getresgid(rgid: UserPtr<u32>, egid: UserPtr<u32>, sgid: UserPtr<u32>);
    setfsuid => sys_setfsuid(fsuid: Uid);
    setfsgid => sys_setfsgid(fsgid: Gid);
    times => sys_times(buf: UserPtr<Tms>);
    setpgid => sys_setpgid(pid: Pid, pgid: Pid);
    getpgid => sys_getpgid(pid: Pid);
    getsid => sys_getsid(pid: Pid);
    setsid => sys_setsid();
    getgroups => sys_getgroups(size: i32, list: UserAddr);
    setgroups => sys_setgroups(list: UserArray<u32>);
    uname => sys_uname(buf: UserPtr<Utsname>);
    sethostname => sys_sethostname(name: UserSlice);
    setdomainname => sys_setdomainname(name: UserSlice);
    getrlimit => sys_getrlimit(resource: u32, rlim: UserPtr<Rlimit>);
    setrlimit => sys_setrlimit(resource: u32, rlim: UserPtr<Rlimit>);
    getrusage => sys_getrusage(who: i32, usage: UserPtr<Rusage>);
    pidfd_open => sys_pidfd_open(pid: Pid, flags: u32);
    pidfd_send_signal => sys_pidfd_send_signal(pidfd: Fd, sig: Signal, info: UserPtr<SigInfo>, flags: u32);
    pidfd_getfd => sys_pidfd_getfd(pidfd: Fd, targetfd: Fd, flags: u32);
    process_madvise => sys_process_madvise(pidfd: Fd, iov: UserArray<Iovec>, advice: u32, flags: u32);
    kcmp => sys_kcmp(pid1: Pid, pid2: Pid, kind: i32, idx1: u64, idx2: u64);
    setns => sys_setns(fd: Fd, nstype: CloneFlags);
    prctl => sys_prctl(option: u32, arg2: u64, arg3: u64, arg4: u64, arg5: u64);
    getcpu => sys_getcpu(cpu: UserPtr<u32>, node: UserPtr<u32>, unused: UserAddr);
    getpid => sys_getpid();
    getppid => sys_getppid();
    getuid => sys_getuid();
    geteuid => sys_geteuid();
    getgid => sys_getgid();
    getegid => sys_getegid();
    gettid => sys_gettid();
    sysinfo => sys_sysinfo(info: UserPtr<Sysinfo>);
    clone => sys_clone(flags: CloneFlags, stack: UserAddr, parent_tid: UserPtr<i32>, tls: u64, child_tid: UserPtr<i32>);
    clone3 => sys_clone3(cl_args: UserPtr<CloneArgs>, size: usize);
    execve => sys_execve(path: UserPath, argv: UserStrVec, envp: UserStrVec);
    execveat => sys_execveat(dirfd: Fd, path: UserPath, argv: UserStrVec, envp: UserStrVec, flags: AtFlags);
    rt_tgsigqueueinfo => sys_rt_tgsigqueueinfo(tgid: Pid, tid: Pid, sig: Signal, info: UserPtr<SigInfo>);
    wait4 => sys_wait4(pid: Pid, wstatus: UserPtr<WaitStatus>, options: WaitOptions, rusage: UserPtr<Rusage>);
    prlimit64 => sys_prlimit64(pid: Pid, resource: u32, new_limit: UserPtr<Rlimit>, old_limit: UserPtr<Rlimit>);
    getrandom => sys_getrandom(buf: UserSlice, flags: GetrandomFlags);
}
