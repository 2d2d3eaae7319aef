//! Many messages by one call: sendmmsg(2), recvmmsg(2).

use console_api::Console;
use lsyscall_abi::consts::IOV_MAX;
use lsyscall_abi::{MsgHdr, Timespec, UserAddr, UserPtr};
use lsyscall_router::{Caller, Done, Flow, SysResult};
use memmgr_api::Memory;

use crate::FsMgr;

/// Bytes of a struct mmsghdr.
const ENTRY: u64 = 64;
/// Where its msg_len is.
const LEN: u64 = 56;
/// MSG_DONTWAIT.
const DONTWAIT: u32 = 0x40;
/// MSG_WAITFORONE: only the first message is waited for.
const WAITFORONE: u32 = 0x10000;

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// Does `one` for each of the messages, from the one on at which the call waited.
    fn each_message(
        &mut self,
        c: &Caller,
        messages: UserAddr,
        count: u32,
        timeout: Option<u64>,
        mut one: impl FnMut(&mut Self, UserPtr<MsgHdr>, u32) -> SysResult,
    ) -> SysResult {
        let count = count.min(IOV_MAX as u32);
        let (mut done, until) = match &self.resumed {
            Some(parked) => parked.batch,
            None => (0, timeout.map(|ns| self.now().saturating_add(ns))),
        };
        while done < count {
            let at = messages.0.wrapping_add(u64::from(done) * ENTRY);
            let result = one(self, UserPtr::new(at), done);
            let error = match result {
                Ok(Flow::Done(moved)) => {
                    match self.copy_out(c, at.wrapping_add(LEN), &(moved as u32)) {
                        Ok(()) => {
                            done += 1;
                            self.resumed = None;
                            if until.is_some_and(|until| until <= self.now()) {
                                break;
                            }
                            continue;
                        }
                        Err(e) => e,
                    }
                }
                Ok(flow) => {
                    if let Some(parked) = self.tasks.get_mut(c.thread)?.parked.as_mut() {
                        parked.batch = (done, until);
                    }
                    return Ok(flow);
                }
                Err(e) => e,
            };
            if done == 0 {
                return Err(error);
            }
            break;
        }
        Ok(done).done()
    }

    pub(crate) fn sendmmsg_call(
        &mut self,
        c: &Caller,
        fd: i32,
        messages: UserAddr,
        count: u32,
        flags: u32,
    ) -> SysResult {
        self.file(c, fd)?.socket()?;
        self.each_message(c, messages, count, None, |this, message, _| {
            this.sendmsg_call(c, fd, message, flags)
        })
    }

    /// The time is looked at between messages only, as Linux does (recvmmsg(2), BUGS).
    pub(crate) fn recvmmsg_call(
        &mut self,
        c: &Caller,
        fd: i32,
        messages: UserAddr,
        count: u32,
        flags: u32,
        timeout: UserPtr<Timespec>,
    ) -> SysResult {
        let timeout = self.timeout_at(c, timeout)?;
        self.file(c, fd)?.socket()?;
        self.each_message(c, messages, count, timeout, |this, message, at| {
            let quick = if flags & WAITFORONE != 0 && at > 0 {
                DONTWAIT
            } else {
                0
            };
            this.recvmsg_call(c, fd, message, flags & !WAITFORONE | quick)
        })
    }
}
