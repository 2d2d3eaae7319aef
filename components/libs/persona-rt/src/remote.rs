//! Calls to servers of other domains.

use alloc::rc::Rc;
use core::cell::RefCell;

use memmgr_api::SharedBuffer;
use persona_component::{Dataport, SlotSource};
use persona_ipc::{Message, Reader, Transport, Writer, SERVED};
use sel4::cap::{CNode, Endpoint};
use sel4::MessageInfo;

use crate::slots::SlotPool;

/// One connection: an endpoint capability badged as this client, and perhaps a shared buffer.
#[derive(Clone)]
pub struct Remote {
    endpoint: Endpoint,
    buffer: Option<Dataport>,
    shared: Rc<RemoteParts>,
}

/// What all connections of a domain share.
pub struct RemoteParts {
    /// Message under construction.
    pub message: RefCell<Message>,
    /// Empty slots, for capabilities received.
    pub slots: Rc<SlotPool>,
    /// The root CNode.
    pub cnode: CNode,
    /// Where the next received capability goes.
    pub receive: RefCell<Option<u64>>,
}

impl RemoteParts {
    /// Makes the kernel put the next capability received into an empty slot.
    fn prepare_receive(&self) {
        let mut receive = self.receive.borrow_mut();
        if receive.is_none() {
            *receive = self.slots.alloc();
            if let Some(cptr) = *receive {
                let (index, depth) = self.slots.locate(cptr);
                self.cnode.slot(index, depth).receive_here();
            }
        }
    }
}

impl Remote {
    /// Whether no call of this domain is being made.
    pub fn is_idle(&self) -> bool {
        self.shared.message.try_borrow_mut().is_ok()
    }

    /// Over an endpoint capability.
    pub fn new(endpoint: u64, buffer: Option<Dataport>, shared: Rc<RemoteParts>) -> Self {
        Remote {
            endpoint: Endpoint::from_bits(endpoint),
            buffer,
            shared,
        }
    }
}

impl Transport for Remote {
    #[inline]
    fn exchange<R>(
        &self,
        label: u32,
        put: impl FnOnce(&mut Writer<'_>),
        get: impl FnOnce(&mut Reader<'_>) -> Option<R>,
    ) -> Option<R> {
        let mut message = self.shared.message.borrow_mut();
        let mut writer = message.writer();
        put(&mut writer);
        if writer.overflowed() {
            return None;
        }
        self.shared.prepare_receive();
        let info = call(self.endpoint, label, &mut message);
        if info.extra_caps() > 0 {
            message.cap = self.shared.receive.borrow_mut().take();
        }
        if message.label != SERVED {
            return None;
        }
        get(&mut message.reader())
    }
}

/// Sends `message` and puts the answer in its place.
#[inline]
fn call(endpoint: Endpoint, label: u32, message: &mut Message) -> MessageInfo {
    let buffer = sel4::ipc_buffer();
    let len = message.len;
    let mrs = [
        message.words[0],
        message.words[1],
        message.words[2],
        message.words[3],
    ];
    if len > 4 {
        buffer.write(&message.words[..len]);
    }
    let caps = usize::from(message.cap.is_some());
    if let Some(cptr) = message.cap {
        buffer.set_cap(0, sel4::CPtr::from_bits(cptr));
    }
    let answer = endpoint.call_mrs(MessageInfo::with_caps(u64::from(label), caps, len), mrs);
    receive(answer.info, answer.mrs, message);
    answer.info
}

/// Takes a received message out of registers and IPC buffer.
#[inline]
pub fn receive(info: MessageInfo, mrs: sel4::Mrs, message: &mut Message) {
    let len = info.length().min(persona_ipc::MAX_WORDS);
    if len > 4 {
        sel4::ipc_buffer().read(&mut message.words[..len]);
    }
    message.words[..4].copy_from_slice(&mrs);
    message.len = len;
    message.label = info.label() as u32;
    message.cap = None;
}

impl SharedBuffer for Remote {
    fn buffer_len(&self) -> usize {
        self.buffer.map_or(0, |b| b.len())
    }
    fn buffer_read(&self, off: usize, buf: &mut [u8]) {
        if let Some(buffer) = self.buffer {
            buffer.read(off, buf);
        }
    }
    fn buffer_write(&self, off: usize, data: &[u8]) {
        if let Some(buffer) = self.buffer {
            buffer.write(off, data);
        }
    }
}
