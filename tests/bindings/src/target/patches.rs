//! What the kernel's patches promise (`images/README.md`), where no other test shows it.

use core::arch::asm;

use alloc::format;

use sel4::cap::{CNode, Endpoint, Granule, Tcb, Untyped};
use sel4::{
    init_thread, ipc_buffer, CPtr, CapRights, Fault, MessageInfo, ObjectBlueprint, UnknownSyscall,
    VmAttributes,
};

use super::context::{park, Context};
use super::message::ticks;
use super::{check, equal, uart, Failure, Outcome};

/// A Linux system call number that has a route, and the route.
fn routed() -> Result<(u64, u64), Failure> {
    let routes = lsyscall_table::routes();
    let number = routes.iter().position(|route| *route != 0);
    let number = number.ok_or(Failure::Skip("the table routes nothing"))?;
    Ok((number as u64, u64::from(routes[number])))
}

/// Makes the same Linux system call for good.
extern "C" fn linux_program(number: u64, _: u64) -> ! {
    loop {
        // SAFETY: a foreign thread's system call changes x0 only.
        unsafe {
            asm!("svc #0", inout("x0") 1u64 => _, in("x7") -4i64, in("x8") number, options(nostack))
        };
    }
}

/// Patch H: a system call goes to the endpoint its route names, else to the fault endpoint.
pub(crate) fn lsyscall_routes(context: &mut Context) -> Outcome {
    const ROUTE_BADGE: u64 = 0x51;
    const FAULT_BADGE: u64 = 0x52;
    let (number, route) = routed()?;
    let endpoint = context.endpoint()?;
    let fault_endpoint = context.badged(endpoint, FAULT_BADGE)?;
    let route_endpoint = context.badged(endpoint, ROUTE_BADGE)?;
    let (thread, cnode) = context.foreign_thread(linux_program, [number, 0], fault_endpoint)?;
    thread.start()?;
    let answer = || endpoint.reply_recv_mrs(MessageInfo::new(0, 1), [0; 4]);

    let message = endpoint.recv_mrs();
    equal("without a capability", message.badge, FAULT_BADGE)?;
    let slot = cnode.slot(route, 5);
    let source = init_thread::slot(route_endpoint.bits());
    slot.copy(&source, CapRights::ALL)?;
    for _ in 0..3 {
        let message = answer();
        equal("with one", message.badge, ROUTE_BADGE)?;
        equal("label", message.info.label(), UnknownSyscall::LABEL)?;
        equal(
            "number",
            UnknownSyscall::from_mrs(&message.mrs).x8,
            Some(number),
        )?;
    }
    slot.delete()?;
    slot.copy(&source, CapRights::WRITE_ONLY)?;
    equal("without the right to grant", answer().badge, FAULT_BADGE)?;
    slot.delete()?;
    let notification = context.notification()?;
    slot.copy(&init_thread::slot(notification.bits()), CapRights::ALL)?;
    equal("another object", answer().badge, FAULT_BADGE)?;
    thread.tcb.suspend()?;
    Ok(())
}

/// Reads the counters, which is allowed, and the physical timer, which is not.
extern "C" fn timer_thief(_: u64, _: u64) -> ! {
    // SAFETY: the last read faults.
    unsafe {
        asm!(
            "mrs x9, cntvct_el0",
            "mrs x9, cntpct_el0",
            "mrs x9, cntfrq_el0",
            "mrs x9, ctr_el0",
            "mrs x9, dczid_el0",
            "mrs x9, cntp_ctl_el0",
            "b .",
            options(noreturn)
        );
    }
}

/// Patch I: the physical timer is for native threads.
pub(crate) fn timer_access(context: &mut Context) -> Outcome {
    let endpoint = context.endpoint()?;
    let (thread, _) = context.foreign_thread(timer_thief, [0, 0], endpoint)?;
    thread.start()?;
    let (info, _) = endpoint.recv();
    let fault = Fault::from_message(info, &ipc_buffer());
    let Fault::UserException(fault) = fault else {
        return Err(Failure::Fail(format!("{fault:x?}")));
    };
    equal("address", fault.ip, timer_thief as *const () as u64 + 5 * 4)?;
    // A trapped system register.
    equal("exception class", fault.number >> 26, 0x18)?;
    // This thread is native: the same read works.
    // SAFETY: reads the timer's control register.
    unsafe { asm!("mrs {}, cntp_ctl_el0", out(reg) _, options(nomem, nostack)) };
    thread.tcb.suspend()?;
    Ok(())
}

/// Fills a register of the FPU, tells, and goes on using it.
extern "C" fn fpu_user(endpoint: u64, _: u64) -> ! {
    // SAFETY: changes registers of its own.
    unsafe { asm!("movi v31.16b, #0xa5", out("v31") _, options(nomem, nostack)) };
    let endpoint = Endpoint::from_bits(endpoint);
    endpoint.send_mrs(MessageInfo::new(1, 0), [0; 4]);
    park(endpoint)
}

/// The words of a page.
fn words(vaddr: u64, len: usize) -> impl Iterator<Item = u64> {
    // SAFETY: the callers have mapped the page, and nothing else writes it.
    (0..len / 8).map(move |index| unsafe { (vaddr as *const u64).add(index).read_volatile() })
}

/// Patch A: the memory of a deleted thread is not written by the next switch of the FPU.
pub(crate) fn fpu_owner_deleted(context: &mut Context) -> Outcome {
    let endpoint = context.endpoint()?;
    let memory: Untyped = context.make(ObjectBlueprint::Untyped { size_bits: 16 })?;
    let whole = core::mem::replace(&mut context.untyped, memory);
    let thread = context.thread(fpu_user, [endpoint.bits(), 0], CPtr::NULL);
    context.untyped = whole;
    thread?.start()?;
    endpoint.recv_mrs();
    init_thread::slot(memory.bits()).revoke()?;
    let mut pages = [0; 16];
    for vaddr in &mut pages {
        context.untyped = memory;
        let page: Result<Granule, Failure> = context.make(ObjectBlueprint::Granule);
        context.untyped = whole;
        *vaddr = context.vaddr(4096);
        context.map(page?, *vaddr, CapRights::READ_WRITE, VmAttributes::DEFAULT)?;
    }
    let clean = || {
        pages
            .iter()
            .all(|vaddr| words(*vaddr, 4096).all(|word| word == 0))
    };
    check("clean before", clean())?;
    // SAFETY: takes the FPU over, which made the kernel save its registers.
    unsafe { asm!("movi v30.16b, #0x5a", out("v30") _, options(nomem, nostack)) };
    check("clean after", clean())
}

/// Patch F: what becomes of used memory is clear, whatever is made of it.
pub(crate) fn retype_clears(context: &mut Context) -> Outcome {
    for (size_bits, blueprint, len) in [
        (12, ObjectBlueprint::Granule, 4096usize),
        (21, ObjectBlueprint::LargePage, 2 << 20),
    ] {
        let memory: Untyped = context.make(ObjectBlueprint::Untyped { size_bits })?;
        let vaddr = context.vaddr(2 << 20);
        let root = init_thread::CNODE.itself();
        for _ in 0..2 {
            let slot = context.slot();
            memory.retype(blueprint, &root, slot.index() as usize, 1)?;
            let page = Granule::from_bits(slot.index());
            context.map(page, vaddr, CapRights::READ_WRITE, VmAttributes::DEFAULT)?;
            let dirty = words(vaddr, len).position(|word| word != 0);
            equal("first word that is not clear", dirty, None)?;
            // SAFETY: mapped above, writable.
            unsafe { core::ptr::write_bytes(vaddr as *mut u8, 0xff, len) };
            init_thread::slot(memory.bits()).revoke()?;
        }
        // Kernel objects in the same memory: an empty CNode, and a thread that has never run.
        let slot = context.slot();
        memory.retype(
            ObjectBlueprint::CNode { size_bits: 7 },
            &root,
            slot.index() as usize,
            1,
        )?;
        let cnode = CNode::from_bits(slot.index());
        for index in 0..128 {
            cnode.slot(index, 7).delete()?;
        }
        init_thread::slot(memory.bits()).revoke()?;
        let slot = context.slot();
        memory.retype(ObjectBlueprint::Tcb, &root, slot.index() as usize, 1)?;
        let registers = Tcb::from_bits(slot.index()).read_all_registers(false)?;
        equal(
            "registers",
            (registers.pc, registers.sp, registers.x0),
            (0, 0, 0),
        )?;
    }
    Ok(())
}

/// Calls seL4 for good, as a shim does.
extern "C" fn shim(cptr: u64, _: u64) -> ! {
    loop {
        // SAFETY: a seL4 call: x0 to x5 change.
        unsafe {
            asm!("svc #1", inout("x0") cptr => _, inout("x1") MessageInfo::new(172, 4).bits() => _,
                inout("x2") 1u64 => _, inout("x3") 2u64 => _, inout("x4") 3u64 => _, inout("x5") 4u64 => _,
                in("x7") -1i64, options(nostack));
        }
    }
}

/// Touches a page that is not there.
extern "C" fn toucher(address: u64, _: u64) -> ! {
    // SAFETY: faults each time it is let go on.
    unsafe { (address as *const u64).read_volatile() };
    park(Endpoint::NULL)
}

/// Prints what the ways of a Linux program into a server above it cost. Meaningful with `-icount shift=0`.
pub(crate) fn measure(context: &mut Context) -> Outcome {
    const ROUNDS: u64 = 1000;
    let (number, route) = routed()?;
    for (name, program, argument) in [
        (
            "a routed system call",
            linux_program as extern "C" fn(u64, u64) -> !,
            number,
        ),
        (
            "a system call by way of the fault endpoint",
            linux_program,
            511,
        ),
        ("a shim's call", shim, route),
        ("a page fault", toucher, context.vaddr(4096)),
    ] {
        let endpoint = context.endpoint()?;
        let fault_endpoint = context.badged(endpoint, 1)?;
        let (thread, cnode) = context.foreign_thread(program, [argument, 0], fault_endpoint)?;
        let slot = cnode.slot(route, 5);
        slot.copy(&init_thread::slot(fault_endpoint.bits()), CapRights::ALL)?;
        thread.start()?;
        endpoint.recv_mrs();
        endpoint.reply_recv_mrs(MessageInfo::new(0, 1), [0; 4]);
        let start = ticks();
        for _ in 0..ROUNDS {
            endpoint.reply_recv_mrs(MessageInfo::new(0, 1), [0; 4]);
        }
        let spent = ticks() - start;
        uart::print(format_args!("INFO {name}: {spent}/{ROUNDS} ticks\n"));
        thread.tcb.suspend()?;
    }
    Ok(())
}

/// Prints what the memory manager's steps cost. Meaningful with `-icount shift=0`.
pub(crate) fn measure_memory(context: &mut Context) -> Outcome {
    const ROUNDS: u64 = 64;
    let (page, vaddr) = context.page()?;
    page.unmap()?;
    let start = ticks();
    for _ in 0..ROUNDS {
        page.map(
            init_thread::VSPACE,
            vaddr,
            CapRights::READ_WRITE,
            VmAttributes::DEFAULT,
        )?;
        page.unmap()?;
    }
    let spent = ticks() - start;
    uart::print(format_args!(
        "INFO mapping and unmapping a page: {spent}/{ROUNDS} ticks\n"
    ));
    let notification = context.notification()?;
    let start = ticks();
    for _ in 0..ROUNDS {
        notification.signal();
        notification.poll();
    }
    let spent = ticks() - start;
    uart::print(format_args!(
        "INFO a signal and a poll: {spent}/{ROUNDS} ticks\n"
    ));
    let slots: [u64; ROUNDS as usize] = core::array::from_fn(|_| context.slot().index());
    let root = init_thread::CNODE.itself();
    let start = ticks();
    for slot in slots {
        context
            .untyped
            .retype(ObjectBlueprint::Granule, &root, slot as usize, 1)?;
    }
    let spent = ticks() - start;
    uart::print(format_args!("INFO making a page: {spent}/{ROUNDS} ticks\n"));
    let start = ticks();
    for slot in slots {
        init_thread::slot(slot).delete()?;
    }
    let spent = ticks() - start;
    uart::print(format_args!(
        "INFO deleting a page: {spent}/{ROUNDS} ticks\n"
    ));
    let start = ticks();
    context.untyped.retype(
        ObjectBlueprint::Granule,
        &root,
        slots[0] as usize,
        ROUNDS as usize,
    )?;
    let spent = ticks() - start;
    uart::print(format_args!(
        "INFO making pages at once: {spent}/{ROUNDS} ticks\n"
    ));
    Ok(())
}
