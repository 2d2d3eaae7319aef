//! The context of one call and what a handler answers.

use lsyscall_abi::{Errno, ThreadIdx};

/// Words of an UnknownSyscall message (x0-x7, FaultIP, SP, x8, SPSR, number).
pub const MESSAGE_WORDS: usize = 13;

/// Who calls what: built from the badge and the message alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The calling thread.
    pub thread: ThreadIdx,
    /// The Linux call number (x8). Numbers beyond 32 bits never reach a handler.
    pub nr: u32,
    /// x0 to x5.
    pub args: [u64; 6],
    /// The instruction behind the `svc`.
    pub pc: u64,
    /// The stack pointer.
    pub sp: u64,
}

impl Caller {
    /// From the words of an UnknownSyscall message (patches B and C). `None` if x8 does not fit a call number.
    pub fn from_message(thread: ThreadIdx, words: &[u64; MESSAGE_WORDS]) -> Option<Caller> {
        Some(Caller {
            thread,
            nr: u32::try_from(words[10]).ok()?,
            args: [words[0], words[1], words[2], words[3], words[4], words[5]],
            pc: words[8],
            sp: words[9],
        })
    }
}

/// How a call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It is done; the value goes to x0.
    Done(i64),
    /// The caller waits; the component completes or cancels the call later.
    Park,
    /// The handler has dealt with the thread itself (exit, execve, sigreturn): no reply.
    Taken,
}

/// What a handler answers. An error goes to x0 as its negative number.
pub type SysResult = Result<Flow, Errno>;

impl From<i64> for Flow {
    fn from(value: i64) -> Self {
        Flow::Done(value)
    }
}

impl From<()> for Flow {
    fn from((): ()) -> Self {
        Flow::Done(0)
    }
}

/// Shorthand for a finished call.
pub fn done(value: impl TryInto<i64>) -> SysResult {
    Ok(Flow::Done(value.try_into().unwrap_or(i64::MAX)))
}

/// What goes to x0; `None` if there is no reply now.
pub fn encode_result(result: SysResult) -> Option<i64> {
    match result {
        Ok(Flow::Done(value)) => Some(value),
        Ok(Flow::Park | Flow::Taken) => None,
        Err(errno) => Some(errno.to_result()),
    }
}
