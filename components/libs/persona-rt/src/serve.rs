//! The event loop.

use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_router::{encode_result, Caller, Flow, SysResult, FAULT_WORDS};
use lsyscall_table as table;
use memmgr_api::{MemMgr, MemMgrClient, Space, UserMemory};
use persona_component::{Component, FaultReply, HeapHook, UserFault};
use persona_ipc::{Message, Shared};
use persona_plan::badge::{self, Badge};
use sel4::cap::Endpoint;
use sel4::{Fault, MessageInfo, Received};

use crate::heap::DomainHeap;
use crate::remote::{self, Remote};
use crate::replies::ReplySlots;
use crate::runtime::Runtime;
use crate::trace::Tracer;
use alloc::rc::Rc;
use lsyscall_trace::UserReader;

/// Slots the compiler gives every domain.
const ENDPOINT: u64 = 1 << 12;
const SELF_CNODE: u64 = 4 << 12;

/// Label of an answer that lets other threads go before the caller (kernel patch P).
const YIELD_LABEL: u64 = 1;

/// A heap with less than this free asks for more before the next event.
pub(crate) const HEAP_LOW: usize = 128 << 10;
/// By how much a heap grows at a time, in bytes.
const HEAP_STEP: u64 = 256 << 10;

/// A component behind its shared handle, as the loop calls it.
pub trait Entries {
    /// Runs `f` on the component.
    fn with(&self, f: &mut dyn FnMut(&mut dyn Component));
}

impl<C: Component> Entries for Shared<C> {
    fn with(&self, f: &mut dyn FnMut(&mut dyn Component)) {
        f(&mut *self.server());
    }
}

/// One component of a domain.
pub struct HostedComponent<'a> {
    /// Its kind: which component of the system-call table it is.
    pub kind: &'static str,
    /// Its entries.
    pub entries: &'a dyn Entries,
    /// It has a thread of control of its own (unused by servers).
    pub control: bool,
    /// It serves Linux system calls.
    pub serves_lsyscalls: bool,
    /// Its interfaces among the domain's: first and how many.
    pub interfaces: (u8, u8),
    /// Its events among the domain's: first bit and how many.
    pub events: (u32, u32),
}

/// All components of a domain.
pub struct Hosted<'a> {
    /// In the order of their construction.
    pub components: &'a [HostedComponent<'a>],
    /// The reply CNode.
    pub replies: Option<u64>,
}

/// What goes back to whoever sent the event.
enum Answer {
    Nothing,
    Words(MessageInfo, sel4::Mrs),
}

/// ENOSYS, as the answer to a call.
fn not_implemented() -> Answer {
    Answer::Words(
        MessageInfo::new(0, 1),
        [Errno::ENOSYS.to_result() as u64, 0, 0, 0],
    )
}

struct Loop<'a> {
    rt: &'a Runtime,
    components: &'a [HostedComponent<'a>],
    /// Index of the component that serves each kind of the table.
    by_kind: [usize; 8],
    /// Index of the component that handles faults and calls nobody is granted.
    faults: Option<usize>,
    replies: Option<ReplySlots>,
    message: Message,
    tracer: Option<Rc<Tracer>>,
}

const NOBODY: usize = usize::MAX;

impl Runtime {
    /// Serves for ever.
    pub fn serve(self, hosted: Hosted<'_>) -> ! {
        let mut by_kind = [NOBODY; 8];
        for (index, component) in hosted.components.iter().enumerate() {
            for (kind, slot) in table::Component::ALL.iter().zip(by_kind.iter_mut()) {
                if kind.name() == component.kind && component.serves_lsyscalls {
                    *slot = index;
                }
            }
        }
        let faults = hosted
            .components
            .iter()
            .position(|c| c.kind == table::Component::Memmgr.name());
        let mut state = Loop {
            rt: &self,
            components: hosted.components,
            by_kind,
            faults,
            replies: hosted
                .replies
                .map(|base| ReplySlots::new(base, SELF_CNODE, None)),
            message: Message::new(),
            tracer: self.tracer.clone(),
        };
        let endpoint = Endpoint::from_bits(ENDPOINT);
        let mut answer = Answer::Nothing;
        loop {
            let raised = self.pending.iter().any(|bits| bits.get() != 0);
            let received = if raised {
                if let Answer::Words(info, mrs) = core::mem::replace(&mut answer, Answer::Nothing) {
                    sel4::reply_mrs(info, mrs);
                }
                state.hand_over_local();
                continue;
            } else {
                if DomainHeap.free() < HEAP_LOW {
                    if let Answer::Words(info, mrs) =
                        core::mem::replace(&mut answer, Answer::Nothing)
                    {
                        sel4::reply_mrs(info, mrs);
                    }
                    self.grow_heap();
                } else if DomainHeap.is_large() {
                    state.shrink_heap();
                }
                match core::mem::replace(&mut answer, Answer::Nothing) {
                    Answer::Words(info, mrs) => endpoint.reply_recv_mrs(info, mrs),
                    Answer::Nothing => endpoint.recv_mrs(),
                }
            };
            answer = state.handle(&received);
        }
    }

    fn grow_heap(&self) {
        if let Some(remote) = self.grower.borrow().as_ref() {
            grow_from(remote, 0);
        }
    }
}

/// Gives the end of the heap back to the memory manager, if it is large and unused.
fn shrink_to(remote: &Remote) {
    if !remote.is_idle() {
        return;
    }
    let Some((addr, bytes)) = DomainHeap.cut() else {
        return;
    };
    let client: MemMgrClient<Remote> = MemMgrClient(remote.clone());
    let gone = client.shrink_heap(addr, bytes).unwrap_or(0);
    if gone < bytes {
        DomainHeap.extend(bytes - gone);
        DomainHeap.keep();
    }
}

/// Asks the memory manager for at least `bytes` more heap.
pub(crate) fn grow_from(remote: &Remote, bytes: u64) -> bool {
    let (end, room) = DomainHeap.end();
    let step = bytes
        .next_multiple_of(HEAP_STEP)
        .max(HEAP_STEP)
        .min(room & !0xfff);
    if step == 0 || !remote.is_idle() {
        return false;
    }
    let client: MemMgrClient<Remote> = MemMgrClient(remote.clone());
    let mut mapped = 0;
    while mapped < step {
        match client.grow_heap(end + mapped, step - mapped) {
            Ok(more) if more > 0 => mapped += more,
            _ => break,
        }
    }
    if mapped > 0 {
        DomainHeap.extend(mapped);
    }
    mapped >= bytes.min(step)
}

impl Loop<'_> {
    fn shrink_heap(&mut self) {
        let memory = self.faults.and_then(|index| self.components.get(index));
        if let Some(component) = memory {
            component.entries.with(&mut |c| c.shrink_heap());
        } else if let Some(remote) = self.rt.grower.borrow().as_ref() {
            shrink_to(remote);
        }
    }

    fn hand_over_local(&mut self) {
        for (component, bits) in self.components.iter().zip(self.rt.pending.iter()) {
            let events = bits.replace(0);
            if events != 0 {
                component.entries.with(&mut |c| c.notified(events));
            }
        }
    }

    fn handle(&mut self, received: &Received) -> Answer {
        match badge::decode(received.badge) {
            Badge::Events(bits) => {
                for component in self.components {
                    let (first, count) = component.events;
                    let events = bits >> first & ((1u64 << count) - 1) as u32;
                    if events != 0 {
                        component.entries.with(&mut |c| c.notified(events));
                    }
                }
                Answer::Nothing
            }
            Badge::Thread(thread) => self.linux_call(ThreadIdx(thread), received),
            Badge::ThreadFault(thread) => self.linux_fault(ThreadIdx(thread), received),
            Badge::Interface { interface, client } => self.request(interface, client, received),
            Badge::Fault(_) | Badge::Unknown(_) => Answer::Nothing,
        }
    }

    fn request(&mut self, interface: u8, client: u8, received: &Received) -> Answer {
        let message = &mut self.message;
        remote::receive(received.info, received.mrs, message);
        let server = self.components.iter().find(|c| {
            let (first, count) = c.interfaces;
            interface >= first && interface - first < count
        });
        match server {
            Some(component) => {
                component
                    .entries
                    .with(&mut |c| c.request(interface - component.interfaces.0, client, message));
            }
            None => {
                message.len = 0;
                message.cap = None;
                message.label = persona_ipc::BAD_MESSAGE;
            }
        }
        let buffer = sel4::ipc_buffer();
        if message.len > 4 {
            buffer.write(&message.words[..message.len]);
        }
        let caps = usize::from(message.cap.is_some());
        if let Some(cptr) = message.cap {
            buffer.set_cap(0, sel4::CPtr::from_bits(cptr));
        }
        let mrs = [
            message.words[0],
            message.words[1],
            message.words[2],
            message.words[3],
        ];
        Answer::Words(
            MessageInfo::with_caps(u64::from(message.label), caps, message.len),
            mrs,
        )
    }

    /// A message on a class endpoint: a system call, and nothing else. A thread can send others itself (`svc #1`).
    fn linux_call(&mut self, thread: ThreadIdx, received: &Received) -> Answer {
        match Fault::from_mrs(received.info, &received.mrs) {
            Fault::UnknownSyscall(_) => self.lsyscall(thread, received),
            _ => not_implemented(),
        }
    }

    /// A message on the fault endpoint: a fault, or a call of a class the thread has no capability for.
    fn linux_fault(&mut self, thread: ThreadIdx, received: &Received) -> Answer {
        match Fault::from_mrs(received.info, &received.mrs) {
            Fault::Vm(fault) => {
                let fault = UserFault::Vm {
                    pc: fault.ip,
                    addr: fault.address,
                    instruction: fault.instruction,
                    esr: fault.fsr,
                };
                self.fault(thread, &fault)
            }
            Fault::UserException(fault) => {
                let fault = UserFault::User {
                    pc: fault.ip,
                    esr: fault.number,
                };
                self.fault(thread, &fault)
            }
            Fault::UnknownSyscall(_) => not_implemented(),
            // A capability fault of a Linux thread is a native call (svc #1) that went nowhere; a program did that by itself.
            _ => self.fault(thread, &UserFault::User { pc: 0, esr: 0 }),
        }
    }

    fn fault(&mut self, thread: ThreadIdx, fault: &UserFault) -> Answer {
        let Some(component) = self.faults.and_then(|index| self.components.get(index)) else {
            return Answer::Nothing;
        };
        let mut reply = FaultReply::Stop;
        component
            .entries
            .with(&mut |c| reply = c.fault(thread, fault));
        match reply {
            FaultReply::Resume => Answer::Words(MessageInfo::new(0, 0), [0; 4]),
            FaultReply::Stop => {
                self.park(thread);
                Answer::Nothing
            }
        }
    }

    fn park(&self, thread: ThreadIdx) {
        if let Some(replies) = &self.replies {
            replies.park(thread);
        }
    }

    fn lsyscall(&mut self, thread: ThreadIdx, received: &Received) -> Answer {
        if received.info.length() < FAULT_WORDS {
            // Not from the kernel: the thread called its endpoint itself (svc #1) with a fault's label.
            return not_implemented();
        }
        let mut words = [0u64; FAULT_WORDS];
        sel4::ipc_buffer().read(&mut words);
        words[..4].copy_from_slice(&received.mrs);
        let Some(caller) = Caller::from_fault(thread, &words) else {
            return Answer::Nothing;
        };
        let tracer = self.tracer.clone();
        let started = tracer
            .as_ref()
            .map(|tracer| tracer.start(&caller, &mut self.reader(thread)));
        let result = self.dispatch(&caller);
        if let (Some(tracer), Some(started)) = (&tracer, started) {
            tracer.end(started, &caller, &result, &mut self.reader(thread));
        }
        match encode_result(result) {
            Some(value) => {
                let label = if result == Ok(Flow::Yield) {
                    YIELD_LABEL
                } else {
                    0
                };
                Answer::Words(MessageInfo::new(label, 1), [value, 0, 0, 0])
            }
            None => {
                if result == Ok(Flow::Park) {
                    self.park(thread);
                }
                Answer::Nothing
            }
        }
    }

    fn dispatch(&self, caller: &Caller) -> SysResult {
        let row = table::by_number(u64::from(caller.nr)).ok_or(Errno::ENOSYS)?;
        let index = self
            .by_kind
            .get(row.component as usize)
            .copied()
            .unwrap_or(NOBODY);
        let component = self.components.get(index).ok_or(Errno::ENOSYS)?;
        let mut result = Err(Errno::ENOSYS);
        component.entries.with(&mut |c| result = c.lsyscall(caller));
        result
    }

    fn reader(&self, thread: ThreadIdx) -> Memory<'_> {
        let local = self
            .faults
            .and_then(|index| self.components.get(index))
            .map(|c| c.entries);
        Memory {
            thread,
            local,
            remote: self.rt.grower.borrow().clone(),
        }
    }
}

/// Memory of a Linux thread, for the tracer.
struct Memory<'a> {
    thread: ThreadIdx,
    local: Option<&'a dyn Entries>,
    remote: Option<Remote>,
}

impl UserReader for Memory<'_> {
    fn read(&mut self, addr: u64, buf: &mut [u8]) -> usize {
        if let Some(entries) = self.local {
            let mut got = 0;
            entries.with(&mut |c| got = c.peek(self.thread, addr, buf));
            return got;
        }
        let Some(remote) = &self.remote else { return 0 };
        let client = MemMgrClient(remote.clone());
        client
            .read_some(Space::Thread(self.thread), addr, buf)
            .unwrap_or(0)
    }
}
