//! Endpoints, notifications, replies: message passing.
//!
//! `*_mrs` methods keep the first four words in registers; words beyond are in the IPC buffer from word 4 on, in both
//! directions. The other methods move all words through the IPC buffer.

use crate::cap::{Endpoint, Notification, Reply};
use crate::sys::syscall;
use crate::{ipc_buffer, sys, Badge, Call, MessageInfo, Mrs, Received};

const SIGNAL: MessageInfo = MessageInfo::new(0, 0);

/// The first words of the IPC buffer's message.
#[inline]
fn load() -> Mrs {
    let mut mrs = Mrs::default();
    ipc_buffer().read(&mut mrs);
    mrs
}

#[inline]
fn store(received: Received) -> (MessageInfo, Badge) {
    ipc_buffer().write(&received.mrs);
    (received.info, received.badge)
}

impl Endpoint {
    /// Sends up to four words and waits until they are received.
    #[inline(always)]
    pub fn send_mrs(self, info: MessageInfo, mrs: Mrs) {
        syscall::send(sys::seL4_SysSend, self.bits(), info.inner(), mrs);
    }

    /// Sends up to four words if a receiver waits; drops them otherwise.
    #[inline(always)]
    pub fn nb_send_mrs(self, info: MessageInfo, mrs: Mrs) {
        syscall::send(sys::seL4_SysNBSend, self.bits(), info.inner(), mrs);
    }

    /// Sends and waits for the answer.
    #[inline(always)]
    pub fn call_mrs(self, info: MessageInfo, mrs: Mrs) -> Call {
        let answer = syscall::send_recv(sys::seL4_SysCall, self.bits(), info.inner(), mrs);
        Call {
            info: answer.info.into(),
            mrs: answer.mrs,
        }
    }

    /// Waits for a message (or a signal of the bound notification).
    #[inline(always)]
    pub fn recv_mrs(self) -> Received {
        syscall::recv(sys::seL4_SysRecv, self.bits()).into()
    }

    /// Takes a message if a sender waits; otherwise badge and info are 0.
    #[inline(always)]
    pub fn nb_recv_mrs(self) -> Received {
        syscall::recv(sys::seL4_SysNBRecv, self.bits()).into()
    }

    /// Answers the last caller (if any) and waits for the next message.
    #[inline(always)]
    pub fn reply_recv_mrs(self, info: MessageInfo, mrs: Mrs) -> Received {
        syscall::send_recv(sys::seL4_SysReplyRecv, self.bits(), info.inner(), mrs).into()
    }

    /// Sends the message in the IPC buffer and waits until it is received.
    pub fn send(self, info: MessageInfo) {
        self.send_mrs(info, load());
    }

    /// Sends the message in the IPC buffer if a receiver waits; drops it otherwise.
    pub fn nb_send(self, info: MessageInfo) {
        self.nb_send_mrs(info, load());
    }

    /// Sends the message in the IPC buffer and waits for the answer, which is in the IPC buffer then.
    pub fn call(self, info: MessageInfo) -> MessageInfo {
        let answer = self.call_mrs(info, load());
        ipc_buffer().write(&answer.mrs);
        answer.info
    }

    /// Waits for a message, which is in the IPC buffer then.
    pub fn recv(self) -> (MessageInfo, Badge) {
        store(self.recv_mrs())
    }

    /// Takes a message, if a sender waits, into the IPC buffer.
    pub fn nb_recv(self) -> (MessageInfo, Badge) {
        store(self.nb_recv_mrs())
    }

    /// Answers the last caller with the message in the IPC buffer and waits for the next, which is there then.
    pub fn reply_recv(self, info: MessageInfo) -> (MessageInfo, Badge) {
        store(self.reply_recv_mrs(info, load()))
    }
}

/// Answers the last caller with up to four words.
#[inline(always)]
pub fn reply_mrs(info: MessageInfo, mrs: Mrs) {
    syscall::send(sys::seL4_SysReply, 0, info.inner(), mrs);
}

/// Answers the last caller with the message in the IPC buffer.
pub fn reply(info: MessageInfo) {
    reply_mrs(info, load());
}

/// Gives the rest of the time slice to the next ready thread of the same priority.
pub fn yield_now() {
    syscall::null(sys::seL4_SysYield);
}

impl Reply {
    /// Answers with up to four words. The right is used up and its slot empty afterwards.
    #[inline(always)]
    pub fn send_mrs(self, info: MessageInfo, mrs: Mrs) {
        self.cast::<crate::cap::cap_type::Endpoint>()
            .send_mrs(info, mrs);
    }

    /// Answers with the message in the IPC buffer.
    pub fn send(self, info: MessageInfo) {
        self.send_mrs(info, load());
    }
}

impl Notification {
    /// Sets the bits of this capability's badge and wakes a waiter.
    #[inline(always)]
    pub fn signal(self) {
        syscall::send_null(sys::seL4_SysSend, self.bits(), SIGNAL.inner());
    }

    /// Waits until a bit is set; returns the bits and clears them.
    #[inline(always)]
    pub fn wait(self) -> Badge {
        syscall::recv(sys::seL4_SysRecv, self.bits()).badge
    }

    /// The bits set so far, 0 if none, and clears them.
    #[inline(always)]
    pub fn poll(self) -> Badge {
        syscall::recv(sys::seL4_SysNBRecv, self.bits()).badge
    }
}
