//! Parked replies: one slot for each Linux thread in the domain's reply CNode.

use alloc::rc::Rc;

use lsyscall_abi::ThreadIdx;
use persona_component::ReplyPort;
use sel4::cap::{CNode, Reply};
use sel4::{AbsoluteCPtr, MessageInfo};

use crate::trace::Tracer;

/// The domain's reply CNode, by the capability pointer of its first slot.
#[derive(Clone)]
pub struct ReplySlots {
    base: u64,
    cnode: CNode,
    tracer: Option<Rc<Tracer>>,
}

impl ReplySlots {
    /// Over the reply CNode mounted at `base` in the CSpace of `cnode`.
    pub fn new(base: u64, cnode: u64, tracer: Option<Rc<Tracer>>) -> Self {
        ReplySlots {
            base,
            cnode: CNode::from_bits(cnode),
            tracer,
        }
    }

    fn slot(&self, thread: ThreadIdx) -> AbsoluteCPtr {
        self.cnode.slot(self.base + u64::from(thread.0), 64)
    }

    /// Keeps the reply of the call just received for `thread`.
    pub fn park(&self, thread: ThreadIdx) {
        let slot = self.slot(thread);
        if slot.save_caller().is_err() {
            // A reply from before the thread was restarted still lies there.
            let _ = slot.delete();
            let _ = slot.save_caller();
        }
    }
}

impl ReplyPort for ReplySlots {
    fn complete(&self, thread: ThreadIdx, value: i64) {
        if let Some(tracer) = &self.tracer {
            tracer.completed(thread, value);
        }
        let reply = Reply::from_bits(self.base + u64::from(thread.0));
        reply.send_mrs(MessageInfo::new(0, 1), [value as u64, 0, 0, 0]);
    }

    fn forget(&self, thread: ThreadIdx) {
        let _ = self.slot(thread).delete();
    }

    fn resume_fault(&self, thread: ThreadIdx) {
        let reply = Reply::from_bits(self.base + u64::from(thread.0));
        reply.send_mrs(MessageInfo::new(0, 0), [0; 4]);
    }
}

/// For domains that serve no Linux thread.
pub struct NoReplies;

impl ReplyPort for NoReplies {
    fn complete(&self, _thread: ThreadIdx, _value: i64) {}
    fn forget(&self, _thread: ThreadIdx) {}
    fn resume_fault(&self, _thread: ThreadIdx) {}
}
