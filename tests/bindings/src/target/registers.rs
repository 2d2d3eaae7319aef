//! Threads and their registers.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

use sel4::{CPtr, MessageInfo, UserContext};

use sel4::cap::Endpoint;

use super::context::{park, Context};
use super::{check, equal, Outcome};

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Counts for good.
extern "C" fn count(_: u64, _: u64) -> ! {
    loop {
        COUNTER.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) fn round_trip(context: &mut Context) -> Outcome {
    let thread = context.thread(count, [0, 0], CPtr::NULL)?;
    let mut words: [u64; UserContext::WORDS] = core::array::from_fn(|index| 0x1000 + index as u64);
    // Program counter and stack pointer aligned; of the status only the condition flags are the thread's.
    (words[0], words[1], words[2]) = (0x2000, 0x3000, 0x6000_0140);
    thread
        .tcb
        .write_all_registers(false, &UserContext::from_words(words))?;
    let read = thread.tcb.read_all_registers(false)?.to_words();
    for (index, name) in UserContext::NAMES
        .iter()
        .enumerate()
        .filter(|(_, name)| **name != "spsr")
    {
        equal(name, read[index], words[index])?;
    }
    equal("condition flags", read[2] & 0xf000_0000, 0x6000_0000)
}

pub(crate) fn partial(context: &mut Context) -> Outcome {
    let thread = context.thread(count, [0, 0], CPtr::NULL)?;
    let words = core::array::from_fn(|index| 0x1000 + 8 * index as u64);
    thread
        .tcb
        .write_registers(false, 4, &UserContext::from_words(words))?;
    let read = thread.tcb.read_registers(false, 5)?;
    equal(
        "program counter and x0",
        (read.pc, read.x0),
        (words[0], words[3]),
    )?;
    equal(
        "registers not written, not read",
        (read.x1, read.x2),
        (0, 0),
    )
}

/// Reports its thread pointer.
extern "C" fn thread_pointer(endpoint: u64, _: u64) -> ! {
    let (pointer, read_only): (u64, u64);
    // SAFETY: reads two registers.
    unsafe {
        asm!("mrs {}, tpidr_el0", "mrs {}, tpidrro_el0", out(reg) pointer, out(reg) read_only,
            options(nomem, nostack));
    }
    let endpoint = Endpoint::from_bits(endpoint);
    endpoint.send_mrs(MessageInfo::new(0, 2), [pointer, read_only, 0, 0]);
    park(endpoint)
}

pub(crate) fn suspend_and_resume(context: &mut Context) -> Outcome {
    let endpoint = context.endpoint()?;
    let mut thread = context.thread(thread_pointer, [endpoint.bits(), 0], CPtr::NULL)?;
    thread.set_thread_pointers(0x1122_3344_5566, 0x77);
    thread.start()?;
    let [pointer, read_only, ..] = endpoint.recv_mrs().mrs;
    equal(
        "thread pointers",
        (pointer, read_only),
        (0x1122_3344_5566, 0x77),
    )?;
    let counting = context.thread(count, [0, 0], CPtr::NULL)?;
    counting.tcb.set_priority(255)?;
    counting.start()?;
    // Of equal priority: it runs for the rest of a time slice.
    while COUNTER.load(Ordering::Relaxed) == 0 {
        sel4::yield_now();
    }
    counting.tcb.suspend()?;
    let stopped = COUNTER.load(Ordering::Relaxed);
    sel4::yield_now();
    equal("suspended", COUNTER.load(Ordering::Relaxed), stopped)?;
    counting.tcb.resume()?;
    sel4::yield_now();
    counting.tcb.suspend()?;
    check("resumed", COUNTER.load(Ordering::Relaxed) > stopped)
}
