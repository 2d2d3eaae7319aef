//! The system as a whole: names, memory, randomness, the end.

use alloc::vec::Vec;

use fsmgr_api::FsMgr;
use lsyscall_abi::consts::cap::{CAP_SYSLOG, CAP_SYS_BOOT};
use lsyscall_abi::*;
use lsyscall_router::{Caller, Flow, SysResult, OK};
use memmgr_api::{MemMgr, Space, UserMemory, USER_TOP};
use persona_ipc::Bytes;

use crate::exit::EXITED;
use crate::{Parts, ProcMgr};

/// The release that uname reports: the interface programs find is that of this Linux.
pub const RELEASE: &str = "6.1.0-persona";

/// What uname reports and sethostname changes.
pub struct Uts {
    host: Vec<u8>,
    domain: Vec<u8>,
}

impl Uts {
    /// Before anybody sets them.
    pub fn new() -> Self {
        Uts {
            host: b"persona".to_vec(),
            domain: b"(none)".to_vec(),
        }
    }
}

fn field(text: &[u8]) -> [u8; 65] {
    let mut out = [0; 65];
    for (to, from) in out.iter_mut().take(64).zip(text) {
        *to = *from;
    }
    out
}

/// Bytes moved in one go by getrandom.
const RANDOM_PIECE: usize = 512;
/// Most bytes one transfer moves on Linux, which is how far it looks whether a buffer is in range.
const MAX_RW_COUNT: usize = 0x7fff_f000;
/// Most bytes one getrandom gives (it says how many).
const RANDOM_MAX: usize = 1 << 20;
const RB_MAGIC1: u32 = 0xfee1_dead;
const RB_MAGIC2: [u32; 4] = [672_274_793, 85_072_278, 369_367_448, 537_993_216];
const RB_HALT: u32 = 0xcdef_0123;
const RB_POWER_OFF: u32 = 0x4321_fedc;
const RB_RESTART: u32 = 0x0123_4567;
const RB_CAD_ON: u32 = 0x89ab_cdef;
const RB_CAD_OFF: u32 = 0;

impl<P: Parts> ProcMgr<P> {
    pub(super) fn sys_uname(&mut self, c: &Caller, buf: UserPtr<Utsname>) -> SysResult {
        let name = Utsname {
            sysname: field(b"Linux"),
            nodename: field(&self.uts.host),
            release: field(RELEASE.as_bytes()),
            version: field(b"#1 Persona on seL4"),
            machine: field(b"aarch64"),
            domainname: field(&self.uts.domain),
        };
        self.put(c, buf, &name)?;
        OK
    }

    fn take_name(&self, c: &Caller, name: UserSlice) -> Result<Vec<u8>, Errno> {
        if !self.is_privileged(c) {
            return Err(Errno::EPERM);
        }
        if name.len > 64 {
            return Err(Errno::EINVAL);
        }
        let mut text = alloc::vec![0; name.len];
        self.mem
            .copy_in(Space::Thread(c.thread), name.addr, &mut text)?;
        Ok(text)
    }

    pub(super) fn sys_sethostname(&mut self, c: &Caller, name: UserSlice) -> SysResult {
        self.uts.host = self.take_name(c, name)?;
        self.tell_names();
        OK
    }

    pub(super) fn sys_setdomainname(&mut self, c: &Caller, name: UserSlice) -> SysResult {
        self.uts.domain = self.take_name(c, name)?;
        self.tell_names();
        OK
    }

    /// Tells fsmgr the names, which /proc shows too.
    fn tell_names(&self) {
        let (host, domain) = (Bytes::new(&self.uts.host), Bytes::new(&self.uts.domain));
        let _ = self.fs.set_names(host, domain);
    }

    pub(super) fn sys_sysinfo(&mut self, c: &Caller, info: UserPtr<Sysinfo>) -> SysResult {
        let stats = self.mem.stats()?;
        let procs = self.threads.iter().flatten().count();
        let value = Sysinfo {
            uptime: (self.now() / 1_000_000_000) as i64,
            totalram: stats.total,
            freeram: stats.free,
            sharedram: stats.objects,
            // With 16 bits of fraction, where the averages have 11.
            loads: self.load.average.map(|average| average << 5),
            procs: u16::try_from(procs).unwrap_or(u16::MAX),
            mem_unit: 1,
            ..Sysinfo::default()
        };
        self.put(c, info, &value)?;
        OK
    }

    pub(super) fn sys_getrandom(
        &mut self,
        c: &Caller,
        buf: UserSlice,
        _flags: GetrandomFlags,
    ) -> SysResult {
        const KNOWN: u32 = 7;
        let flags = c.args[2] as u32;
        if flags & !KNOWN != 0 || flags & 6 == 6 {
            return Err(Errno::EINVAL);
        }
        let end = buf.addr.checked_add(buf.len.min(MAX_RW_COUNT) as u64);
        if end.is_none_or(|end| end > USER_TOP) {
            return Err(Errno::EFAULT);
        }
        let len = buf.len.min(RANDOM_MAX);
        let mut piece = [0u8; RANDOM_PIECE];
        let mut done = 0;
        while done < len {
            let want = (len - done).min(RANDOM_PIECE);
            self.random.fill(&mut piece[..want]);
            let to = buf.addr.wrapping_add(done as u64);
            let got = self
                .mem
                .write_some(Space::Thread(c.thread), to, &piece[..want]);
            match got {
                Ok(got) if got == want => done += want,
                Ok(got) => return Ok((done + got).into()),
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(done.into())
    }

    pub(super) fn sys_syslog(&mut self, c: &Caller, kind: i32, buf: UserSlice) -> SysResult {
        let wrong_length = i32::try_from(buf.len).is_err();
        if !(0..=10).contains(&kind) || matches!(kind, 2..=4) && (buf.addr == 0 || wrong_length) {
            return Err(Errno::EINVAL);
        }
        if !self.capable(c, CAP_SYSLOG) && !self.is_privileged(c) && !matches!(kind, 3 | 10) {
            return Err(Errno::EPERM);
        }
        OK
    }

    pub(super) fn sys_reboot(
        &mut self,
        c: &Caller,
        magic1: u32,
        magic2: u32,
        cmd: u32,
        _arg: UserAddr,
    ) -> SysResult {
        if !self.capable(c, CAP_SYS_BOOT) {
            return Err(Errno::EPERM);
        }
        if magic1 != RB_MAGIC1 || !RB_MAGIC2.contains(&magic2) {
            return Err(Errno::EINVAL);
        }
        match cmd {
            RB_CAD_ON | RB_CAD_OFF => OK,
            RB_HALT | RB_POWER_OFF | RB_RESTART => {
                self.halt(EXITED, 0);
                Ok(Flow::Taken)
            }
            _ => Err(Errno::EINVAL),
        }
    }
}
