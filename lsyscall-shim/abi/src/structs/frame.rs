//! What a signal handler finds on its stack (arm64's asm/sigcontext.h, asm/ucontext.h; sigaction(2)).

use crate::SigSet;
use zerocopy::{FromZeros, IntoBytes};

/// si_code: sent by kill(2).
pub const SI_USER: i32 = 0;
/// si_code: sent by the kernel.
pub const SI_KERNEL: i32 = 0x80;
/// si_code: sent by sigqueue(3).
pub const SI_QUEUE: i32 = -1;
/// si_code: a timer.
pub const SI_TIMER: i32 = -2;
/// si_code: sent by tkill(2) or tgkill(2).
pub const SI_TKILL: i32 = -6;
/// Magic of an [`FpsimdContext`].
pub const FPSIMD_MAGIC: u32 = 0x4650_8001;

layout! {
    /// struct sigaction as the kernel has it.
    SigAction(32) {
        /// Address of the handler, SIG_DFL, or SIG_IGN.
        handler: u64,
        /// SA_*.
        flags: u64,
        /// Where the handler returns to, with SA_RESTORER.
        restorer: u64,
        /// Blocked while it runs.
        mask: SigSet,
    }
    /// struct siginfo: 128 bytes, a union behind the first 16.
    SigInfo(128) {
        /// Signal.
        signo: i32,
        /// Unused on Linux.
        errno: i32,
        /// Why.
        code: i32,
        /// Padding.
        pad: i32,
        /// The union's bytes as words.
        fields: [u64; 14],
    }
    /// stack_t.
    StackT(24) {
        /// Lowest byte.
        sp: u64,
        /// SS_*.
        flags: i32,
        /// Padding.
        pad: u32,
        /// Bytes.
        size: u64,
    }
    /// Head of a record in [`SigContext::reserved`]; both zero: the end.
    RecordHeader(8) {
        /// Kind.
        magic: u32,
        /// Bytes of the record, head included.
        size: u32,
    }
    /// struct fpsimd_context.
    FpsimdContext(528) {
        /// [`FPSIMD_MAGIC`], 528.
        head: RecordHeader,
        /// FPSR.
        fpsr: u32,
        /// FPCR.
        fpcr: u32,
        /// V0 to V31, low half first.
        vregs: [u64; 64],
    }
    /// struct sigcontext.
    SigContext(4384) {
        /// Address of the fault.
        fault_address: u64,
        /// x0 to x30.
        regs: [u64; 31],
        /// Stack pointer.
        sp: u64,
        /// Program counter.
        pc: u64,
        /// Processor state.
        pstate: u64,
        /// Padding.
        pad: u64,
        /// Records.
        reserved: [u8; 4096],
    }
    /// struct ucontext.
    UContext(4560) {
        /// Unused.
        flags: u64,
        /// Unused.
        link: u64,
        /// The alternative stack.
        stack: StackT,
        /// The mask to come back to.
        sigmask: SigSet,
        /// Room for a larger mask, and padding.
        unused: [u64; 16],
        /// Registers.
        mcontext: SigContext,
    }
    /// struct rt_sigframe: what sp points at when a handler starts.
    RtSigframe(4688) {
        /// The handler's second argument points here.
        info: SigInfo,
        /// The handler's third argument points here.
        context: UContext,
    }
}

const fn pair(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

impl SigInfo {
    fn with(signo: i32, code: i32, fields: &[u64]) -> SigInfo {
        let mut info = SigInfo {
            signo,
            code,
            ..SigInfo::new_zeroed()
        };
        for (to, from) in info.fields.iter_mut().zip(fields) {
            *to = *from;
        }
        info
    }

    /// Sent by a process ([`SI_USER`], [`SI_TKILL`]).
    pub fn from_process(signo: i32, code: i32, pid: i32, uid: u32) -> SigInfo {
        Self::with(signo, code, &[pair(pid as u32, uid)])
    }

    /// Sent with a value by sigqueue(3).
    pub fn queued(signo: i32, code: i32, pid: i32, uid: u32, value: u64) -> SigInfo {
        Self::with(signo, code, &[pair(pid as u32, uid), value])
    }

    /// Sent by the kernel, without more to say.
    pub fn from_kernel(signo: i32) -> SigInfo {
        Self::with(signo, SI_KERNEL, &[])
    }

    /// An exception at an address (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP).
    pub fn fault(signo: i32, code: i32, addr: u64) -> SigInfo {
        Self::with(signo, code, &[addr])
    }

    /// A child changed state (SIGCHLD, and what waitid(2) stores). Times in ticks of 1/100 s.
    pub fn child(code: i32, pid: i32, uid: u32, status: i32, utime: u64, stime: u64) -> SigInfo {
        let first = [pair(pid as u32, uid), pair(status as u32, 0), utime, stime];
        Self::with(crate::signal::SIGCHLD, code, &first)
    }

    /// A timer expired.
    pub fn timer(signo: i32, id: i32, overrun: i32, value: u64) -> SigInfo {
        Self::with(signo, SI_TIMER, &[pair(id as u32, overrun as u32), value])
    }

    /// The sender's process id, in the forms that have one.
    pub const fn pid(&self) -> i32 {
        self.fields[0] as u32 as i32
    }

    /// The sender's user id, in the forms that have one.
    pub const fn uid(&self) -> u32 {
        (self.fields[0] >> 32) as u32
    }
}

impl SigContext {
    /// Puts the floating-point record, and the end behind it, into the reserved area.
    pub fn set_fpsimd(&mut self, fp: &FpsimdContext) {
        let mut fp = *fp;
        fp.head = RecordHeader {
            magic: FPSIMD_MAGIC,
            size: core::mem::size_of::<FpsimdContext>() as u32,
        };
        let bytes = fp.as_bytes();
        let (record, rest) = self.reserved.split_at_mut(bytes.len());
        record.copy_from_slice(bytes);
        for byte in rest.iter_mut().take(core::mem::size_of::<RecordHeader>()) {
            *byte = 0;
        }
    }

    /// Finds the floating-point record among those a program left there; `None` if there is none, or the records make no
    /// sense.
    pub fn fpsimd(&self) -> Option<FpsimdContext> {
        use zerocopy::FromBytes;
        let mut rest: &[u8] = &self.reserved;
        loop {
            let (head, _) = RecordHeader::read_from_prefix(rest).ok()?;
            let size = head.size as usize;
            if head.magic == FPSIMD_MAGIC {
                return FpsimdContext::read_from_prefix(rest).ok().map(|(fp, _)| fp);
            }
            if head.magic == 0
                || size < core::mem::size_of::<RecordHeader>()
                || !size.is_multiple_of(16)
            {
                return None;
            }
            rest = rest.get(size..)?;
        }
    }
}
