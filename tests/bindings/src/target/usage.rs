//! Patches O and P: whose the processor's time is, and who gets how much of it.

use core::arch::asm;

use alloc::format;

use sel4::cap::Granule;
use sel4::{init_thread, CPtr, CapRights, Error, MessageInfo, VmAttributes};

use super::context::Context;
use super::message::ticks;
use super::{check, equal, Failure, Outcome};

/// Entries of the frames: the header, no thread, threads that name none, and the first free one.
const HEADER: usize = 0;
const IDLE: usize = 1;
const OTHERS: usize = 2;
const FIRST: usize = 3;
/// One share (`include/usage/share.h`).
const SHARE: u64 = 1024;

/// The kernel's usage frames.
struct Usage(*const u64);

impl Usage {
    fn new(context: &mut Context) -> Result<Usage, Failure> {
        let frames = context.boot.usage_frames();
        check("there are frames", frames.end > frames.start)?;
        let vaddr = context.vaddr((frames.end - frames.start) * 4096);
        for (page, slot) in frames.enumerate() {
            let copy = context.slot();
            copy.copy(&init_thread::slot(slot), CapRights::READ_ONLY)?;
            let at = vaddr + page as u64 * 4096;
            let attributes = VmAttributes::DEFAULT | VmAttributes::EXECUTE_NEVER;
            context.map(
                Granule::from_bits(copy.index()),
                at,
                CapRights::READ_ONLY,
                attributes,
            )?;
        }
        Ok(Usage(vaddr as *const u64))
    }

    /// A word of an entry: 0 user ticks, 1 system ticks, 2 voluntary, 3 involuntary switches.
    fn word(&self, entry: usize, word: usize) -> u64 {
        // SAFETY: within the mapped frames.
        unsafe { self.0.add(entry * 4 + word).read_volatile() }
    }
}

/// Calls for good, with some work of its own between.
extern "C" fn caller(work: u64, _: u64) -> ! {
    loop {
        // SAFETY: a counting loop, and a system call that changes x0 only.
        unsafe {
            asm!("2: subs x9, x9, #1", "b.ne 2b", "svc #0", inout("x9") work => _, inout("x0") 1u64 => _,
                in("x8") 511u64, options(nostack))
        };
    }
}

/// Runs for good.
extern "C" fn spinner(_: u64, _: u64) -> ! {
    // SAFETY: touches nothing.
    unsafe { asm!("b .", options(noreturn)) }
}

fn wait(duration: u64) {
    let end = ticks() + duration;
    while ticks() < end {}
}

/// Patch O: time of a foreign thread's own is told from time of its server's, and idle time from both.
pub(crate) fn processor_time(context: &mut Context) -> Outcome {
    let usage = Usage::new(context)?;
    let endpoint = context.endpoint()?;
    let (thread, _) = context.foreign_thread(caller, [100_000, 0], endpoint)?;
    equal(
        "a kernel's entry",
        thread.tcb.set_usage(OTHERS as u64),
        Err(Error::RangeError),
    )?;
    equal(
        "behind the last",
        thread.tcb.set_usage(1024),
        Err(Error::RangeError),
    )?;
    thread.tcb.set_usage(FIRST as u64)?;
    let second = usage.word(HEADER, 0);
    check("a frequency", second > 1_000_000)?;
    let start = ticks();
    thread.start()?;
    endpoint.recv_mrs();
    let first = usage.word(FIRST, 0);
    check("its own time", first > 0)?;
    check("no more than has passed", first <= ticks() - start)?;
    wait(second / 100);
    endpoint.reply_recv_mrs(MessageInfo::new(0, 1), [0; 4]);
    let (user, system) = (usage.word(FIRST, 0), usage.word(FIRST, 1));
    check("its server's", system >= second / 100)?;
    check("not its own", user < second / 100 + first * 50)?;
    check("its own again", user > first)?;
    // The slow path: without a waiting server nothing is lost.
    let (before, began) = (user + system, ticks());
    for _ in 0..20 {
        sel4::reply_mrs(MessageInfo::new(0, 1), [0; 4]);
        endpoint.recv_mrs();
    }
    let (spent, passed) = (
        usage.word(FIRST, 0) + usage.word(FIRST, 1) - before,
        ticks() - began,
    );
    check(
        "all of it, on the slow path",
        spent <= passed + second / 1000 && spent > passed / 2,
    )?;
    thread.tcb.suspend()?;
    // Cleared for the next thread.
    thread.tcb.set_usage(FIRST as u64)?;
    equal("cleared", usage.word(FIRST, 0), 0)?;
    // Others' time goes where nobody is named, idle time stays what it was while somebody runs.
    let (other, _) = context.foreign_thread(caller, [1000, 0], endpoint)?;
    let (before, idle) = (usage.word(OTHERS, 0), usage.word(IDLE, 0));
    other.start()?;
    endpoint.recv_mrs();
    check("the others'", usage.word(OTHERS, 0) > before)?;
    equal("nobody was idle", usage.word(IDLE, 0), idle)?;
    other.tcb.suspend()?;
    Ok(())
}

/// Patch P: foreign threads of one priority get what their shares say, and an answer with label 1 lets the other go first.
pub(crate) fn shares(context: &mut Context) -> Outcome {
    let usage = Usage::new(context)?;
    let endpoint = context.endpoint()?;
    let second = usage.word(HEADER, 0);
    let mut threads = [None, None];
    for (index, slot) in threads.iter_mut().enumerate() {
        let (thread, _) = context.foreign_thread(spinner, [0, 0], endpoint)?;
        thread.tcb.set_usage((FIRST + index) as u64)?;
        thread.tcb.set_share(SHARE << (2 * index), 0)?;
        equal(
            "too large",
            thread.tcb.set_share(1 << 21, 0),
            Err(Error::RangeError),
        )?;
        *slot = Some(thread);
    }
    for thread in threads.iter().flatten() {
        thread.tcb.set_priority(100)?;
        thread.start()?;
    }
    super::irq::sleep(context, second / 2)?;
    let time = [0, 1].map(|index| usage.word(FIRST + index, 0));
    if !(30..55).contains(&(time[0] * 10 / time[1].max(1))) {
        return Err(Failure::Fail(format!("shares of 4 to 1 gave {time:?}")));
    }
    check("ready threads", usage.word(HEADER, 3) >= 2)?;
    check("load", usage.word(HEADER, 2) > usage.word(HEADER, 1) / 4)?;
    check("switched when they could go on", usage.word(FIRST, 3) > 3)?;
    for thread in threads.iter().flatten() {
        thread.tcb.suspend()?;
    }
    let native = context.thread(spinner, [0, 0], CPtr::NULL)?;
    equal(
        "a native thread",
        native.tcb.set_share(SHARE, 0),
        Err(Error::RangeError),
    )?;
    Ok(())
}

/// Patch P: of two threads that always call, each answer with label 1 lets the other go first; with label 0 it goes on.
pub(crate) fn yielding(context: &mut Context) -> Outcome {
    let endpoint = context.endpoint()?;
    let mut threads = [None, None];
    for (index, slot) in threads.iter_mut().enumerate() {
        let badged = context.badged(endpoint, 1 + index as u64)?;
        let (thread, _) = context.foreign_thread(caller, [10, 0], badged)?;
        thread.tcb.set_usage((FIRST + index) as u64)?;
        thread.tcb.set_share(SHARE, 0)?;
        thread.tcb.set_priority(100)?;
        *slot = Some(thread);
    }
    for thread in threads.iter().flatten() {
        thread.start()?;
    }
    let mut last = endpoint.recv_mrs().badge;
    for _ in 0..10 {
        let next = endpoint
            .reply_recv_mrs(MessageInfo::new(1, 1), [0; 4])
            .badge;
        check("another", next != last)?;
        last = next;
    }
    let mut same = 0;
    for _ in 0..10 {
        let next = endpoint
            .reply_recv_mrs(MessageInfo::new(0, 1), [0; 4])
            .badge;
        same += u32::from(next == last);
        last = next;
    }
    check("mostly the same", same >= 8)?;
    for thread in threads.iter().flatten() {
        thread.tcb.suspend()?;
    }
    Ok(())
}
