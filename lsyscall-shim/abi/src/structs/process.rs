//! Processes and the system.

use super::Timeval;

layout! {
    /// struct rusage.
    Rusage(144) {
        /// User time.
        utime: Timeval,
        /// System time.
        stime: Timeval,
        /// Largest resident set, KiB.
        maxrss: i64,
        /// Unused on Linux: shared, data, stack sizes.
        sizes: [i64; 3],
        /// Page faults without I/O.
        minflt: i64,
        /// Page faults with I/O.
        majflt: i64,
        /// Unused on Linux: swaps.
        nswap: i64,
        /// Blocks read.
        inblock: i64,
        /// Blocks written.
        oublock: i64,
        /// Unused on Linux: messages and signals.
        messages: [i64; 3],
        /// Voluntary switches.
        nvcsw: i64,
        /// Involuntary switches.
        nivcsw: i64,
    }
    /// struct rlimit64.
    Rlimit(16) {
        /// Soft limit.
        cur: u64,
        /// Hard limit.
        max: u64,
    }
    /// struct sysinfo.
    Sysinfo(112) {
        /// Seconds since the start.
        uptime: i64,
        /// Load averages, 16 fractional bits.
        loads: [u64; 3],
        /// Memory, in units of `mem_unit`.
        totalram: u64,
        /// Free memory.
        freeram: u64,
        /// Shared memory.
        sharedram: u64,
        /// Buffers.
        bufferram: u64,
        /// Swap.
        totalswap: u64,
        /// Free swap.
        freeswap: u64,
        /// Threads.
        procs: u16,
        /// Padding.
        pad0: [u16; 3],
        /// High memory.
        totalhigh: u64,
        /// Free high memory.
        freehigh: u64,
        /// Bytes of a unit.
        mem_unit: u32,
        /// Padding.
        pad1: u32,
    }
    /// struct tms: ticks of 1/100 s.
    Tms(32) {
        /// User time.
        utime: i64,
        /// System time.
        stime: i64,
        /// User time of waited-for children.
        cutime: i64,
        /// System time of waited-for children.
        cstime: i64,
    }
    /// struct new_utsname: NUL-terminated fields of 65 bytes.
    Utsname(390) {
        /// `Linux`.
        sysname: [u8; 65],
        /// Host name.
        nodename: [u8; 65],
        /// Version number.
        release: [u8; 65],
        /// Build.
        version: [u8; 65],
        /// `aarch64`.
        machine: [u8; 65],
        /// NIS domain name.
        domainname: [u8; 65],
    }
    /// struct clone_args.
    CloneArgs(88) {
        /// CLONE_* without a signal.
        flags: u64,
        /// Where to store a pidfd.
        pidfd: u64,
        /// Where to store the id in the child.
        child_tid: u64,
        /// Where to store the id in the parent.
        parent_tid: u64,
        /// Signal of the child's end.
        exit_signal: u64,
        /// Lowest byte of the stack.
        stack: u64,
        /// Its size.
        stack_size: u64,
        /// Thread pointer.
        tls: u64,
        /// Wanted ids.
        set_tid: u64,
        /// How many.
        set_tid_size: u64,
        /// cgroup.
        cgroup: u64,
    }
    /// struct sched_param.
    SchedParam(4) {
        /// Static priority.
        priority: i32,
    }
    /// struct __user_cap_header_struct.
    CapHeader(8) {
        /// Version of the layout.
        version: u32,
        /// Thread; 0: the caller.
        pid: i32,
    }
    /// struct __user_cap_data_struct; two of them hold 64 capabilities.
    CapData(12) {
        /// In force.
        effective: u32,
        /// Can be put in force.
        permitted: u32,
        /// Kept over execve.
        inheritable: u32,
    }
    /// A status as wait4(2) stores it.
    WaitStatus(4) {
        /// The word.
        raw: i32,
    }
}

impl WaitStatus {
    /// It continued.
    pub const CONTINUED: WaitStatus = WaitStatus { raw: 0xffff };

    /// It ended by exit; only the low byte of the code is kept.
    pub const fn exited(code: i32) -> WaitStatus {
        WaitStatus {
            raw: (code & 0xff) << 8,
        }
    }

    /// A signal ended it.
    pub const fn signaled(sig: i32, core: bool) -> WaitStatus {
        WaitStatus {
            raw: (sig & 0x7f) | if core { 0x80 } else { 0 },
        }
    }

    /// A signal stopped it.
    pub const fn stopped(sig: i32) -> WaitStatus {
        WaitStatus {
            raw: ((sig & 0xff) << 8) | 0x7f,
        }
    }

    /// The code it exited with, if it did.
    pub const fn exit_code(self) -> Option<i32> {
        if self.raw & 0x7f == 0 {
            Some((self.raw >> 8) & 0xff)
        } else {
            None
        }
    }

    /// The signal that ended it, if one did.
    pub const fn term_signal(self) -> Option<i32> {
        match self.raw & 0x7f {
            0 | 0x7f => None,
            sig => Some(sig),
        }
    }

    /// The signal that stopped it, if one did.
    pub const fn stop_signal(self) -> Option<i32> {
        if self.raw & 0xff == 0x7f {
            Some((self.raw >> 8) & 0xff)
        } else {
            None
        }
    }
}
