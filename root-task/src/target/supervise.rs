//! After the start: faults of the domains, and the order to end the run.

use core::convert::Infallible;

use console_frame::Exit;
use persona_plan::badge::{self, Badge};
use persona_plan::startup::CANNOT_START;
use persona_plan::{supervisor, Domain, OnFault, Plan};
use sel4::cap::{Endpoint, Tcb};
use sel4::{init_thread, ipc_buffer, CapData, CapRights, Fault, MessageInfo, UserContext};

use super::build::Made;
use super::failure::Failure;
use super::output::{self, Output};

/// Exit value of a run that ended because a component faulted.
const COMPONENT_FAULT: i32 = 2;

/// Receives for ever.
pub fn run(plan: &Plan, made: &mut Made<'_>, output: &mut Output) -> Result<Infallible, Failure> {
    let endpoint = Endpoint::from_bits(made.slot(plan.root.endpoint)?);
    connect(plan, made, output)?;
    loop {
        let (info, sender) = endpoint.recv();
        match badge::decode(sender) {
            Badge::Fault(index) => {
                let domain = plan.domains.iter().find(|d| d.index == index);
                let fault = ipc_buffer();
                let fault = Fault::from_message(info, &fault);
                if let Some(domain) = domain {
                    report(plan, made, domain, &fault, output);
                }
            }
            Badge::Interface { .. } => serve(info, output),
            _ => {}
        }
    }
}

/// From now on the console component speaks for the root task.
fn connect(plan: &Plan, made: &mut Made<'_>, output: &mut Output) -> Result<(), Failure> {
    let Some(console) = plan.root.console else {
        return Ok(());
    };
    let slot = made.memory.slots(1)?;
    let from = init_thread::slot(made.slot(console.endpoint)?);
    init_thread::slot(slot)
        .mint(&from, CapRights::WRITE_GRANT, CapData::badge(console.badge))
        .map_err(|e| Failure::new(format_args!("the supervisor's console: {e}")))?;
    output.set_console(Some(Endpoint::from_bits(slot)));
    Ok(())
}

/// A request of whoever holds the grant `supervisor`.
fn serve(info: MessageInfo, output: &mut Output) {
    let (reason, value) = (ipc_buffer().mr(0), ipc_buffer().mr(1));
    let answer = if info.label() == supervisor::END && info.length() >= 2 {
        let value = value as i32;
        output.exit(match reason {
            0 => Exit::Exited(value),
            1 => Exit::Killed(value),
            _ => Exit::System(value),
        });
        supervisor::DONE
    } else {
        supervisor::BAD_REQUEST
    };
    sel4::reply(MessageInfo::new(answer, 0));
}

/// Says what a domain did wrong, and does what the manifest wants done then. The domain's thread stays stopped.
fn report(plan: &Plan, made: &Made<'_>, domain: &Domain, fault: &Fault, output: &mut Output) {
    if plan.root.console.is_some_and(|c| c.domain == domain.index) {
        // It will not answer any more.
        output.set_console(None);
    }
    let (file, line) = plan.place(domain.origin);
    let (what, pc) = describe(fault);
    let tcb = made.slot(domain.thread.tcb).map(Tcb::from_bits);
    let registers = tcb.map(|tcb| tcb.read_all_registers(true));
    let mut names = alloc::string::String::new();
    for component in &domain.components {
        if !names.is_empty() {
            names.push_str(", ");
        }
        names.push_str(&component.instance);
    }
    let exception = matches!(fault, Fault::UserException(_));
    if exception && matches!(&registers, Ok(Ok(r)) if r.x0 == CANNOT_START) {
        // It has said why itself.
        output.log(
            output::ERROR,
            format_args!(
                "domain {} ({names}; {file}:{line}) cannot start",
                domain.name
            ),
        );
        return end(domain, output);
    }
    output.log(
        output::ERROR,
        format_args!(
            "component fault: {what} at pc {pc:#x} in domain {} ({names}; {file}:{line})",
            domain.name
        ),
    );
    if let Ok(Ok(registers)) = registers {
        log_registers(&registers, output);
    }
    end(domain, output);
}

/// Does what the manifest wants done when a domain has stopped.
fn end(domain: &Domain, output: &mut Output) {
    match domain.on_fault {
        OnFault::Report => {}
        OnFault::EndRun => output.exit(Exit::System(COMPONENT_FAULT)),
    }
}

fn describe(fault: &Fault) -> (alloc::string::String, u64) {
    use alloc::format;
    match fault {
        Fault::Vm(vm) => {
            let access = match (vm.instruction, vm.is_write()) {
                (true, _) => "instruction fetch",
                (false, true) => "write",
                (false, false) => "read",
            };
            let why = if vm.is_permission() {
                "not allowed"
            } else {
                "nothing mapped"
            };
            let (address, fsr) = (vm.address, vm.fsr);
            (
                format!("{access} at address {address:#x}, {why} (ESR {fsr:#x})"),
                vm.ip,
            )
        }
        Fault::Cap(cap) => {
            let phase = if cap.in_recv_phase { "receive" } else { "send" };
            let (address, failure) = (cap.address, cap.failure);
            (
                format!("{phase} on the capability pointer {address:#x}: {failure:?}"),
                cap.ip,
            )
        }
        Fault::UnknownSyscall(call) => {
            (format!("unknown system call {:#x}", call.syscall), call.ip)
        }
        Fault::UserException(e) => (format!("exception (ESR {:#x})", e.number), e.ip),
        other => (format!("{other:?}"), 0),
    }
}

fn log_registers(r: &UserContext, output: &mut Output) {
    let words = [
        r.x0, r.x1, r.x2, r.x3, r.x4, r.x5, r.x6, r.x7, r.x8, r.x9, r.x10, r.x11, r.x12, r.x13,
        r.x14, r.x15, r.x16, r.x17, r.x18, r.x19, r.x20, r.x21, r.x22, r.x23, r.x24, r.x25, r.x26,
        r.x27, r.x28, r.x29, r.x30,
    ];
    let mut text = alloc::string::String::new();
    for (index, word) in words.iter().enumerate() {
        use core::fmt::Write;
        let end = if index % 4 == 3 { "\n" } else { " " };
        let _ = write!(text, "  x{index:<2} {word:016x}{end}");
    }
    output.log(
        output::ERROR,
        format_args!("  pc  {:016x}  sp  {:016x}  spsr {:x}", r.pc, r.sp, r.spsr),
    );
    output.log(output::ERROR, format_args!("{text}"));
}
