//! What /proc says of these objects: /proc/sysvipc and the limits in /proc/sys/kernel.

use alloc::vec::Vec;
use core::fmt::Write;

use console_api::Console;
use lsyscall_abi::Errno;
use memmgr_api::{Memory, PAGE_SIZE};

use super::{msg, sem, shm};
use crate::text::Text;
use crate::FsMgr;

/// A file of /proc/sysvipc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Listing {
    Shm,
    Sem,
    Msg,
}

/// A limit in /proc/sys/kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Limit {
    ShmMax,
    ShmAll,
    ShmMni,
    Sem,
    MsgMax,
    MsgMnb,
    MsgMni,
}

/// The text of a limit.
pub fn limit_text(limit: Limit) -> Vec<u8> {
    let mut out = Text::default();
    let _ = match limit {
        Limit::ShmMax | Limit::ShmAll => writeln!(out, "{}", shm::MAX_BYTES),
        Limit::ShmMni => writeln!(out, "{}", shm::MAX),
        Limit::Sem => writeln!(
            out,
            "{}\t{}\t{}\t{}",
            sem::MAX_PER_SET,
            sem::MAX_ALL,
            sem::MAX_OPS,
            sem::MAX
        ),
        Limit::MsgMax => writeln!(out, "{}", msg::MAX_MESSAGE),
        Limit::MsgMnb => writeln!(out, "{}", msg::MAX_QUEUE),
        Limit::MsgMni => writeln!(out, "{}", msg::MAX),
    };
    out.0
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// The text of a file of /proc/sysvipc.
    pub(crate) fn sysv_text(&mut self, listing: Listing) -> Result<Vec<u8>, Errno> {
        let mut out = Text::default();
        match listing {
            Listing::Shm => {
                self.sweep_segments();
                self.shm_text(&mut out);
            }
            Listing::Sem => {
                let _ = writeln!(
                    out,
                    "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime"
                );
                for (id, e) in self.sysv.sem.borrow().iter() {
                    let (p, (otime, ctime)) = (&e.perm, e.object.times());
                    let _ = writeln!(
                        out,
                        "{:10} {id:10}  {:4o} {:10} {:5} {:5} {:5} {:5} {otime:10} {ctime:10}",
                        p.key,
                        p.mode,
                        e.object.len(),
                        p.uid,
                        p.gid,
                        p.cuid,
                        p.cgid
                    );
                }
            }
            Listing::Msg => {
                let _ = writeln!(
                    out,
                    "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime"
                );
                for (id, e) in self.sysv.msg.iter() {
                    let (p, q) = (&e.perm, &e.object);
                    let [stime, rtime, ctime] = q.times;
                    let _ = writeln!(
                        out,
                        "{:10} {id:10}  {:4o}  {:10} {:10} {:5} {:5} {:5} {:5} {:5} {:5} {stime:10} {rtime:10} {ctime:10}",
                        p.key, p.mode, q.bytes, q.count(), q.last[0], q.last[1], p.uid, p.gid, p.cuid, p.cgid
                    );
                }
            }
        }
        Ok(out.0)
    }

    fn shm_text(&self, out: &mut Text) {
        let _ = writeln!(
            out,
            "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap"
        );
        for (id, e) in self.sysv.shm.iter() {
            let (p, s) = (&e.perm, &e.object);
            let [atime, dtime, ctime] = s.times;
            let attached = self.attached(s);
            let present = self.mem.vmo_pages(s.vmo).unwrap_or(0) * PAGE_SIZE;
            let _ = writeln!(
                out,
                "{:10} {id:10}  {:4o} {:21} {:5} {:5}  {attached:5} {:5} {:5} {:5} {:5} {atime:10} {dtime:10} {ctime:10} {present:21} {:21}",
                p.key, p.mode, s.size, s.creator, s.last, p.uid, p.gid, p.cuid, p.cgid, 0
            );
        }
    }
}
