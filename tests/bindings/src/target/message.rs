//! Endpoints and notifications.

use core::arch::asm;

use sel4::cap::{CNode, Endpoint, Notification, Reply, Unspecified};
use sel4::{init_thread, ipc_buffer, sys, CPtr, MessageInfo};

use super::context::{park, Context};
use super::{check, equal, uart, Outcome};

pub(crate) fn notification(context: &mut Context) -> Outcome {
    let plain = context.notification()?;
    let first = context.badged(plain, 1 << 3)?;
    let second = context.badged(plain, 1 << 27)?;
    equal("nothing yet", plain.poll(), 0)?;
    first.signal();
    second.signal();
    equal("both", plain.wait(), 1 << 27 | 1 << 3)?;
    equal("cleared", plain.poll(), 0)
}

/// Serves `endpoint`: answers each call with its label + 1 and its words reversed.
extern "C" fn server(endpoint: u64, _: u64) -> ! {
    let endpoint = Endpoint::from_bits(endpoint);
    let mut message = endpoint.recv_mrs();
    loop {
        message.mrs.reverse();
        let info = MessageInfo::new(message.info.label() + 1, 4);
        message = endpoint.reply_recv_mrs(info, message.mrs);
    }
}

pub(crate) fn call_in_registers(context: &mut Context) -> Outcome {
    let endpoint = context.endpoint()?;
    let client = context.badged(endpoint, 0x123)?;
    context
        .thread(server, [endpoint.bits(), 0], CPtr::NULL)?
        .start()?;
    for round in 0..100 {
        let answer = client.call_mrs(MessageInfo::new(round, 4), [1, 2, 3, round]);
        equal("label", answer.info.label(), round + 1)?;
        equal("words", answer.mrs, [round, 3, 2, 1])?;
    }
    Ok(())
}

/// Calls `endpoint` with a long message it finds in its buffer at `buffer`, checks the answer, and tells by a label.
extern "C" fn long_client(endpoint: u64, buffer: u64) -> ! {
    let endpoint = Endpoint::from_bits(endpoint);
    let answer = endpoint.call_mrs(MessageInfo::new(7, 20), [100, 101, 102, 103]);
    // SAFETY: the test mapped this thread's buffer there: tag, then the words.
    let word = unsafe { ((buffer + 8) as *const u64).add(11).read_volatile() };
    let good = answer.info.length() == 12 && answer.mrs == [200, 201, 202, 203] && word == 211;
    endpoint.call_mrs(MessageInfo::new(if good { 8 } else { 9 }, 0), [0; 4]);
    park(endpoint)
}

pub(crate) fn call_through_the_buffer(context: &mut Context) -> Outcome {
    let endpoint = context.endpoint()?;
    let client = context.badged(endpoint, 5)?;
    let mut thread = context.thread(long_client, [client.bits(), 0], CPtr::NULL)?;
    let buffer = thread.buffer;
    thread.set_argument(buffer);
    for index in 0..20u64 {
        // SAFETY: the thread's buffer is mapped there, and the thread does not run yet.
        unsafe {
            ((buffer + 8) as *mut u64)
                .add(index as usize)
                .write_volatile(100 + index)
        };
    }
    thread.start()?;
    let (info, badge) = endpoint.recv();
    equal(
        "label, length, badge",
        (info.label(), info.length(), badge),
        (7, 20, 5),
    )?;
    let mut words = [0; 20];
    ipc_buffer().read(&mut words);
    equal(
        "words",
        words,
        core::array::from_fn(|index| 100 + index as u64),
    )?;
    ipc_buffer().write(&core::array::from_fn::<u64, 12, _>(|index| {
        200 + index as u64
    }));
    let (info, _) = endpoint.reply_recv(MessageInfo::new(0, 12));
    equal("the client's verdict", info.label(), 8)
}

/// Sends the capability its buffer names.
extern "C" fn giver(endpoint: u64, _: u64) -> ! {
    let endpoint = Endpoint::from_bits(endpoint);
    endpoint.send_mrs(MessageInfo::with_caps(1, 1, 1), [0xabc, 0, 0, 0]);
    endpoint.send_mrs(MessageInfo::with_caps(2, 1, 0), [0; 4]);
    park(endpoint)
}

pub(crate) fn capability_transfer(context: &mut Context) -> Outcome {
    let endpoint = context.endpoint()?;
    let gift = context.notification()?;
    let badged = context.badged(gift, 0x40)?;
    let thread = context.thread(giver, [endpoint.bits(), 0], CPtr::NULL)?;
    let caps = thread.buffer + core::mem::offset_of!(sys::seL4_IPCBuffer, caps_or_badges) as u64;
    // SAFETY: the thread's buffer is mapped there, and the thread does not run yet.
    unsafe { (caps as *mut u64).write_volatile(badged.bits()) };
    thread.start()?;
    let slot = context.slot();
    slot.receive_here();
    let (info, _) = endpoint.recv();
    equal(
        "capabilities",
        (info.extra_caps(), info.caps_unwrapped()),
        (1, 0),
    )?;
    equal("word", ipc_buffer().mr(0), 0xabc)?;
    Notification::from_bits(slot.index()).signal();
    equal("the gift works", gift.poll(), 0x40)?;
    // The second time the slot is full: the message arrives without the capability.
    let (info, _) = endpoint.recv();
    equal(
        "label and capabilities",
        (info.label(), info.extra_caps()),
        (2, 0),
    )
}

/// Calls once and signals the word of the answer's length to a notification.
extern "C" fn caller(endpoint: u64, notification: u64) -> ! {
    let endpoint = Endpoint::from_bits(endpoint);
    let answer = endpoint.call_mrs(MessageInfo::new(1, 0), [0; 4]);
    if answer.mrs[0] == 77 {
        Notification::from_bits(notification).signal();
    }
    park(endpoint)
}

pub(crate) fn save_caller(context: &mut Context) -> Outcome {
    let endpoint = context.endpoint()?;
    let done = context.notification()?;
    let signal = context.badged(done, 1)?;
    // As domains park calls: the reply capability goes to a CNode of its own.
    let parked: CNode = context.make(sel4::ObjectBlueprint::CNode { size_bits: 12 })?;
    context
        .thread(caller, [endpoint.bits(), signal.bits()], CPtr::NULL)?
        .start()?;
    equal("the call", endpoint.recv_mrs().info.label(), 1)?;
    parked.slot(9, 12).save_caller()?;
    equal("not yet answered", done.poll(), 0)?;
    let reply = context.slot();
    reply.move_from(&parked.slot(9, 12))?;
    Reply::from_bits(reply.index()).send_mrs(MessageInfo::new(0, 1), [77, 0, 0, 0]);
    equal("answered", done.wait(), 1)?;
    // Used up.
    let again = parked.slot(9, 12).move_from(&reply);
    equal("the slot is empty", again, Err(sel4::Error::FailedLookup))
}

pub(crate) fn bound_notification(context: &mut Context) -> Outcome {
    let endpoint = context.endpoint()?;
    let notification = context.notification()?;
    let signal = context.badged(notification, 1 << 27 | 2)?;
    init_thread::TCB.bind_notification(notification)?;
    signal.signal();
    let received = endpoint.recv_mrs();
    init_thread::TCB.unbind_notification()?;
    equal("badge", received.badge, 1 << 27 | 2)?;
    let nothing = endpoint.nb_recv_mrs();
    equal("no message", (nothing.badge, nothing.info.bits()), (0, 0))?;
    let wrong: Unspecified = endpoint.cast();
    check(
        "binding an endpoint",
        init_thread::TCB.bind_notification(wrong.cast()).is_err(),
    )
}

/// The virtual counter.
pub(crate) fn ticks() -> u64 {
    let ticks;
    // SAFETY: reads the counter, which the kernel leaves open to user threads.
    unsafe { asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
    ticks
}

/// Prints what a call and its answer cost. Meaningful with `-icount shift=0`: a tick is 16 instructions then.
pub(crate) fn measure(context: &mut Context) -> Outcome {
    let endpoint = context.endpoint()?;
    context
        .thread(server, [endpoint.bits(), 0], CPtr::NULL)?
        .start()?;
    for words in [0, 4] {
        let info = MessageInfo::new(0, words);
        endpoint.call_mrs(info, [0; 4]);
        let start = ticks();
        for _ in 0..1000 {
            endpoint.call_mrs(info, [1, 2, 3, 4]);
        }
        let spent = ticks() - start;
        uart::print(format_args!(
            "INFO a call of {words} words in registers: {spent}/1000 ticks\n"
        ));
    }
    Ok(())
}
