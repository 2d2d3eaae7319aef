//! Faults, and the system calls of foreign threads.

use core::arch::asm;

use alloc::format;

use sel4::cap::{Endpoint, Granule};
use sel4::{
    init_thread, CapRights, Fault, LookupFailure, MessageInfo, ObjectBlueprint, UnknownSyscall,
    VmAttributes,
};

use super::context::{park, Context};
use super::{check, equal, Failure, Outcome};

fn unexpected<T>(fault: Fault) -> Result<T, Failure> {
    Err(Failure::Fail(format!("{fault:x?}")))
}

/// Adds one to the word at `address` and sends it to `endpoint`.
extern "C" fn toucher(endpoint: u64, address: u64) -> ! {
    let word = address as *mut u64;
    // SAFETY: the test maps the page when the fault arrives.
    let value = unsafe {
        word.write_volatile(41);
        word.read_volatile() + 1
    };
    let endpoint = Endpoint::from_bits(endpoint);
    endpoint.send_mrs(MessageInfo::new(99, 1), [value, 0, 0, 0]);
    park(endpoint)
}

pub(crate) fn vm_fault(context: &mut Context) -> Outcome {
    let endpoint = context.endpoint()?;
    let handler = context.badged(endpoint, 6)?;
    let page: Granule = context.make(ObjectBlueprint::Granule)?;
    let vaddr = context.vaddr(4096);
    context
        .thread(toucher, [endpoint.bits(), vaddr], handler.cptr())?
        .start()?;
    let message = endpoint.recv_mrs();
    equal("badge", message.badge, 6)?;
    let Fault::Vm(fault) = Fault::from_mrs(message.info, &message.mrs) else {
        return unexpected(Fault::from_mrs(message.info, &message.mrs));
    };
    equal("address", fault.address, vaddr)?;
    check(
        "a write",
        fault.is_write() && !fault.instruction && !fault.is_permission(),
    )?;
    // Mapped read-only first: the same access is a permission fault then. The reply capability survives the
    // invocations, as a pager needs it.
    context.map(page, vaddr, CapRights::READ_ONLY, VmAttributes::DEFAULT)?;
    let (info, _) = endpoint.reply_recv(MessageInfo::new(0, 0));
    let Fault::Vm(fault) = Fault::from_message(info, &sel4::ipc_buffer()) else {
        return unexpected(Fault::from_message(info, &sel4::ipc_buffer()));
    };
    check("a permission", fault.is_permission() && fault.is_write())?;
    page.remap(
        init_thread::VSPACE,
        CapRights::READ_WRITE,
        VmAttributes::DEFAULT,
    )?;
    let message = endpoint.reply_recv_mrs(MessageInfo::new(0, 0), [0; 4]);
    equal(
        "after the fault",
        (message.info.label(), message.mrs[0]),
        (99, 42),
    )
}

/// Receives from a capability that is not there, then calls an address that leads nowhere.
extern "C" fn lost(empty: u64, nowhere: u64) -> ! {
    Endpoint::from_bits(empty).recv_mrs();
    Endpoint::from_bits(nowhere).call_mrs(MessageInfo::new(0, 0), [0; 4]);
    park(Endpoint::NULL)
}

pub(crate) fn cap_fault(context: &mut Context) -> Outcome {
    const NOWHERE: u64 = 1 << 40;
    let endpoint = context.endpoint()?;
    let empty = context.slot().index();
    let thread = context.thread(lost, [empty, NOWHERE], endpoint.cptr())?;
    thread.start()?;
    let (info, _) = endpoint.recv();
    let fault = Fault::from_message(info, &sel4::ipc_buffer());
    let Fault::Cap(fault) = fault else {
        return unexpected(fault);
    };
    equal("address", fault.address, empty)?;
    check("receiving", fault.in_recv_phase)?;
    equal(
        "why",
        fault.failure,
        LookupFailure::MissingCapability { bits_left: 0 },
    )?;
    // The answer only restarts the call: go on behind it.
    let mut registers = thread.tcb.read_all_registers(true)?;
    equal("the thread stands at its call", registers.pc, fault.ip)?;
    registers.pc += 4;
    thread.tcb.write_all_registers(true, &registers)?;
    let (info, _) = endpoint.recv();
    let fault = Fault::from_message(info, &sel4::ipc_buffer());
    let Fault::Cap(fault) = fault else {
        return unexpected(fault);
    };
    equal("address", fault.address, NOWHERE)?;
    check("sending", !fault.in_recv_phase)?;
    let guard_bits = 64 - u64::from(init_thread::CNODE_SIZE_BITS);
    let why = LookupFailure::GuardMismatch {
        bits_left: 64,
        guard_found: 0,
        bits_found: guard_bits,
    };
    equal("why", fault.failure, why)
}

/// Executes an instruction that is none.
extern "C" fn undefined(_: u64, _: u64) -> ! {
    // SAFETY: faults, and never goes on.
    unsafe { asm!("udf #7", options(noreturn)) }
}

pub(crate) fn user_exception(context: &mut Context) -> Outcome {
    let endpoint = context.endpoint()?;
    context
        .thread(undefined, [0, 0], endpoint.cptr())?
        .start()?;
    let (info, _) = endpoint.recv();
    match Fault::from_message(info, &sel4::ipc_buffer()) {
        Fault::UserException(fault) => {
            equal("address", fault.ip, undefined as *const () as u64)?;
            // Patch E: the syndrome, whose class for an undefined instruction is 0.
            equal("exception class", fault.number >> 26, 0)?;
            check("the syndrome's 32-bit flag", fault.number & (1 << 25) != 0)
        }
        other => unexpected(other),
    }
}

/// A native thread's system call that is not seL4's; sends the result.
extern "C" fn native_stranger(endpoint: u64, _: u64) -> ! {
    let mut x0 = 1000u64;
    // SAFETY: the test answers with x0 and a program counter behind the svc.
    unsafe {
        asm!("svc #0", inout("x0") x0, in("x1") 1001, in("x2") 1002, in("x3") 1003, in("x4") 1004, in("x5") 1005,
            in("x6") 1006, in("x7") 12345, in("x8") 64, options(nostack));
    }
    let endpoint = Endpoint::from_bits(endpoint);
    endpoint.send_mrs(MessageInfo::new(99, 1), [x0, 0, 0, 0]);
    park(endpoint)
}

pub(crate) fn unknown_syscall_native(context: &mut Context) -> Outcome {
    let endpoint = context.endpoint()?;
    context
        .thread(native_stranger, [endpoint.bits(), 0], endpoint.cptr())?
        .start()?;
    let (info, _) = endpoint.recv();
    let Fault::UnknownSyscall(call) = Fault::from_message(info, &sel4::ipc_buffer()) else {
        return unexpected(Fault::from_message(info, &sel4::ipc_buffer()));
    };
    equal(
        "registers",
        call.x,
        [1000, 1001, 1002, 1003, 1004, 1005, 1006, 12345],
    )?;
    equal("x7 as number", call.syscall, 12345)?;
    equal("x8", call.x8.unwrap_or(64), 64)?;
    // The whole message again, with a new x0 and behind the svc.
    let buffer = sel4::ipc_buffer();
    buffer.set_mr(0, 5555);
    buffer.set_mr(sel4::sys::seL4_UnknownSyscall_FaultIP as usize, call.ip + 4);
    let (info, _) = endpoint.reply_recv(MessageInfo::new(
        0,
        sel4::sys::seL4_UnknownSyscall_Syscall as usize,
    ));
    equal(
        "the result",
        (info.label(), sel4::ipc_buffer().mr(0)),
        (99, 5555),
    )
}

/// Makes Linux system calls for good: the result of each is the first argument of the next, its number is `number`.
extern "C" fn linux_program(first: u64, number: u64) -> ! {
    let mut x0 = first;
    loop {
        // SAFETY: a foreign thread's system call changes x0 only. x7 holds what seL4 would take for Yield.
        unsafe {
            asm!("svc #0", inout("x0") x0, in("x1") 1, in("x2") 2, in("x3") 3, in("x4") 4, in("x5") 5, in("x6") 6,
                in("x7") -7i64, in("x8") number, options(nostack));
        }
    }
}

pub(crate) fn unknown_syscall_foreign(context: &mut Context) -> Outcome {
    let endpoint = context.endpoint()?;
    let badged = context.badged(endpoint, 1 << 24 | 3)?;
    // A number no table routes anywhere: it reaches the fault endpoint.
    let (thread, _) = context.foreign_thread(linux_program, [10, 500], badged)?;
    thread.start()?;
    let mut message = endpoint.recv_mrs();
    for round in 0..5 {
        equal("label", message.info.label(), UnknownSyscall::LABEL)?;
        equal("badge", message.badge, 1 << 24 | 3)?;
        let call = UnknownSyscall::from_mrs(&message.mrs);
        equal(
            "registers",
            call.x,
            [10 + round, 1, 2, 3, 4, 5, 6, -7i64 as u64],
        )?;
        equal("number", call.x8, Some(500))?;
        // Patch B: FaultIP is behind the svc, and one word answers.
        message = endpoint.reply_recv_mrs(MessageInfo::new(0, 1), [11 + round, 0, 0, 0]);
    }
    thread.tcb.suspend()?;
    Ok(())
}

/// Calls seL4 from a thread without an IPC buffer: `svc #1` on a patched kernel.
extern "C" fn foreign_caller(cptr: u64, _: u64) -> ! {
    let (mut label, mut m0) = (172, 11u64);
    loop {
        // SAFETY: a seL4 call: x0 to x5 change.
        unsafe {
            asm!("svc #1", inout("x0") cptr => _, inout("x1") MessageInfo::new(label, 4).bits() => _, inout("x2") m0,
                inout("x3") 12u64 => _, inout("x4") 13u64 => _, inout("x5") 14u64 => _, in("x7") -1i64,
                options(nostack));
        }
        label += 1;
    }
}

pub(crate) fn foreign_call(context: &mut Context) -> Outcome {
    let endpoint = context.endpoint()?;
    let badged = context.badged(endpoint, 0x77)?;
    let (thread, cnode) = context.foreign_thread(foreign_caller, [4, 0], endpoint)?;
    cnode
        .slot(4, 5)
        .copy(&init_thread::slot(badged.bits()), CapRights::ALL)?;
    thread.start()?;
    let message = endpoint.recv_mrs();
    equal(
        "label and badge",
        (message.info.label(), message.badge),
        (172, 0x77),
    )?;
    equal("words", message.mrs, [11, 12, 13, 14])?;
    let message = endpoint.reply_recv_mrs(MessageInfo::new(0, 1), [21, 0, 0, 0]);
    equal(
        "the next call",
        (message.info.label(), message.mrs[0]),
        (173, 21),
    )?;
    Ok(())
}
