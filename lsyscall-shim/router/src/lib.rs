//! How an lsyscall reaches its handler: the call context, the outcome, and the traits and dispatchers generated from the
//! system-call table.
//!
//! A handler is written once, against a [`Caller`] and typed arguments. It knows neither by which road the call came nor
//! whether the components it asks share its domain. This crate must hold no state and know no component's inside.
#![no_std]
#![deny(unsafe_code)]

use lsyscall_abi::*;

/// Words of an UnknownSyscall fault message (kernel patches B and C), see docs/architecture.md.
pub const FAULT_WORDS: usize = 13;
const WORD_IP: usize = 8;
const WORD_SP: usize = 9;
const WORD_NR: usize = 10;

/// Bytes of an instruction: what a restarted call's program counter goes back by.
pub const SVC_BYTES: u64 = 4;

/// Who calls what, from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The thread, from the badge: nothing in the message can forge it.
    pub thread: ThreadIdx,
    /// The call's number (x8, cut to 32 bits as Linux does).
    pub nr: u32,
    /// x0 to x5.
    pub args: [u64; 6],
    /// Address behind the svc instruction.
    pub pc: u64,
    /// Stack pointer.
    pub sp: u64,
}

impl Caller {
    /// The call in an UnknownSyscall message of a thread; `None` if it is too short to be one.
    pub fn from_fault(thread: ThreadIdx, words: &[u64]) -> Option<Caller> {
        let words: &[u64; FAULT_WORDS] = words.first_chunk()?;
        let [a0, a1, a2, a3, a4, a5, ..] = *words;
        Some(Caller {
            thread,
            nr: words[WORD_NR] as u32,
            args: [a0, a1, a2, a3, a4, a5],
            pc: words[WORD_IP],
            sp: words[WORD_SP],
        })
    }
}

/// What became of a call that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It is done; x0 gets the value.
    Done(i64),
    /// It is done with the value 0, and other threads that could run go before the caller.
    Yield,
    /// It waits. The framework keeps the reply; the component completes it later.
    Park,
    /// The component sees to the thread itself (exit, execve, sigreturn): no reply now.
    Taken,
}

/// What a handler returns.
pub type SysResult = Result<Flow, Errno>;

/// Success with the value 0.
pub const OK: SysResult = Ok(Flow::Done(0));

impl From<i64> for Flow {
    fn from(value: i64) -> Flow {
        Flow::Done(value)
    }
}

impl From<u64> for Flow {
    fn from(value: u64) -> Flow {
        Flow::Done(value as i64)
    }
}

impl From<usize> for Flow {
    fn from(value: usize) -> Flow {
        Flow::Done(value as i64)
    }
}

impl From<i32> for Flow {
    fn from(value: i32) -> Flow {
        Flow::Done(value.into())
    }
}

impl From<u32> for Flow {
    fn from(value: u32) -> Flow {
        Flow::Done(value.into())
    }
}

impl From<()> for Flow {
    fn from((): ()) -> Flow {
        Flow::Done(0)
    }
}

impl From<Fd> for Flow {
    fn from(fd: Fd) -> Flow {
        Flow::Done(fd.0.into())
    }
}

impl From<Pid> for Flow {
    fn from(pid: Pid) -> Flow {
        Flow::Done(pid.0.into())
    }
}

/// Makes a handler's result of a plain one: `self.length(fd).done()`.
pub trait Done {
    /// The value, or the error, as the call's outcome.
    fn done(self) -> SysResult;
}

impl<T: Into<Flow>> Done for Result<T, Errno> {
    fn done(self) -> SysResult {
        self.map(Into::into)
    }
}

/// What x0 gets, or `None` if there is no reply now ([`Flow::Park`], [`Flow::Taken`]).
pub const fn encode_result(result: SysResult) -> Option<u64> {
    match result {
        Ok(Flow::Done(value)) => Some(value as u64),
        Ok(Flow::Yield) => Some(0),
        Ok(Flow::Park | Flow::Taken) => None,
        Err(errno) => Some(errno.to_result() as u64),
    }
}

include!(concat!(env!("OUT_DIR"), "/calls.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    struct Server(Option<(Fd, UserSlice)>);

    impl FsCalls for Server {
        fn write(&mut self, c: &Caller, fd: Fd, buf: UserSlice) -> SysResult {
            assert_eq!(c.thread, ThreadIdx(3));
            self.0 = Some((fd, buf));
            Ok(buf.len).done()
        }

        fn epoll_pwait(
            &mut self,
            _: &Caller,
            _: Fd,
            events: UserArray<EpollEvent>,
            timeout: i32,
            _: UserPtr<SigSet>,
            _: usize,
        ) -> SysResult {
            assert_eq!(timeout, -1);
            if events.bytes().is_none() {
                return Err(Errno::EINVAL);
            }
            Ok(Flow::Park)
        }
    }

    fn call(nr: u64, args: [u64; 6]) -> Caller {
        let mut words = [0; FAULT_WORDS];
        words[..6].copy_from_slice(&args);
        words[WORD_NR] = nr;
        words[WORD_IP] = 0x1000;
        Caller::from_fault(ThreadIdx(3), &words).unwrap()
    }

    #[test]
    fn a_call_reaches_its_method_with_typed_arguments() {
        let mut server = Server(None);
        let result = dispatch_fs(&mut server, &call(64, [1, 0x4000, 5, 0, 0, 0]));
        assert_eq!(encode_result(result), Some(5));
        assert_eq!(server.0, Some((Fd(1), UserSlice::new(0x4000, 5))));
    }

    #[test]
    fn numbers_without_a_method_are_enosys() {
        let enosys = Some((-38i64) as u64);
        let mut server = Server(None);
        for nr in [63, 0, 124, 244, 100_000, u32::MAX.into()] {
            assert_eq!(
                encode_result(dispatch_fs(&mut server, &call(nr, [0; 6]))),
                enosys,
                "{nr}"
            );
        }
    }

    #[test]
    fn lengths_are_cut_to_the_prototype_s_width() {
        let mut server = Server(None);
        let with_count = |count: u64| call(22, [9, 0x1000, count, 0xffff_ffff, 0, 8]);
        assert_eq!(
            dispatch_fs(&mut server, &with_count(0xabcd_0000_0004)),
            Ok(Flow::Park)
        );
        assert_eq!(
            dispatch_fs(&mut server, &with_count(u64::MAX)),
            Err(Errno::EINVAL)
        );
    }

    #[test]
    fn outcomes_are_encoded_as_x0() {
        assert_eq!(encode_result(OK), Some(0));
        assert_eq!(encode_result(Err(Errno::EPERM)), Some(u64::MAX));
        assert_eq!(encode_result(Ok(Flow::Park)), None);
        assert_eq!(encode_result(Ok(Flow::Taken)), None);
        assert_eq!(Err::<(), _>(Errno::EIO).done(), Err(Errno::EIO));
    }

    #[test]
    fn short_messages_are_no_calls() {
        assert_eq!(Caller::from_fault(ThreadIdx(0), &[0; 12]), None);
    }
}
