//! The test runner.

mod context;
mod faults;
mod irq;
mod message;
mod objects;
mod patches;
mod registers;
mod uart;
mod usage;
mod vspace;

use alloc::format;
use alloc::string::String;

use sel4_root_task::BootInfo;

use context::Context;

/// Why a test did not pass.
pub(crate) enum Failure {
    /// It failed.
    Fail(String),
    /// It cannot run on this machine.
    Skip(&'static str),
}

impl From<sel4::Error> for Failure {
    fn from(error: sel4::Error) -> Failure {
        Failure::Fail(format!("{error}"))
    }
}

pub(crate) type Outcome = Result<(), Failure>;

/// Fails the test unless both are equal.
pub(crate) fn equal<T: PartialEq + core::fmt::Debug>(what: &str, got: T, expected: T) -> Outcome {
    if got == expected {
        Ok(())
    } else {
        Err(Failure::Fail(format!(
            "{what}: {got:x?}, expected {expected:x?}"
        )))
    }
}

/// Fails the test unless `holds`.
pub(crate) fn check(what: &str, holds: bool) -> Outcome {
    equal(what, holds, true)
}

type Test = fn(&mut Context) -> Outcome;

const TESTS: &[(&str, Test)] = &[
    ("boot_info", objects::boot_info),
    ("retype_every_object", objects::retype_every_object),
    ("retype_errors", objects::retype_errors),
    ("cnode_operations", objects::cnode_operations),
    ("two_level_cspace", objects::two_level_cspace),
    ("map_and_unmap_a_page", vspace::map_and_unmap),
    ("large_page", vspace::large_page),
    ("another_address_space", vspace::another_address_space),
    ("notification", message::notification),
    ("call_in_registers", message::call_in_registers),
    ("call_through_the_buffer", message::call_through_the_buffer),
    ("capability_transfer", message::capability_transfer),
    ("save_caller", message::save_caller),
    ("bound_notification", message::bound_notification),
    ("vm_fault", faults::vm_fault),
    ("cap_fault", faults::cap_fault),
    ("user_exception", faults::user_exception),
    ("unknown_syscall_native", faults::unknown_syscall_native),
    ("unknown_syscall_foreign", faults::unknown_syscall_foreign),
    ("foreign_call", faults::foreign_call),
    ("registers", registers::round_trip),
    ("registers_partial", registers::partial),
    ("suspend_and_resume", registers::suspend_and_resume),
    ("timer_interrupt", irq::timer),
    ("lsyscall_routes", patches::lsyscall_routes),
    ("timer_access", patches::timer_access),
    ("fpu_owner_deleted", patches::fpu_owner_deleted),
    ("retype_clears", patches::retype_clears),
    ("processor_time", usage::processor_time),
    ("shares", usage::shares),
    ("yielding", usage::yielding),
    ("cost_of_a_call", message::measure),
    ("cost_of_a_system_call", patches::measure),
    ("cost_of_memory", patches::measure_memory),
];

sel4_root_task::entry!(main, stack = 64 * 1024, heap = 1024 * 1024);

fn main(boot: BootInfo) -> ! {
    let Some(mut context) = Context::new(boot) else {
        sel4::debug_println!("no memory to test with");
        sel4_root_task::stop();
    };
    sel4_root_task::set_panic_hook(|info| uart::print(format_args!("\nFAIL panic: {info}\n")));
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in TESTS {
        match context.scratch(test) {
            Ok(()) => {
                passed += 1;
                uart::print(format_args!("PASS {name}\n"));
            }
            Err(Failure::Skip(why)) => uart::print(format_args!("SKIP {name}: {why}\n")),
            Err(Failure::Fail(why)) => {
                failed += 1;
                uart::print(format_args!("FAIL {name}: {why}\n"));
            }
        }
    }
    uart::print(format_args!("DONE passed={passed} failed={failed}\n"));
    sel4_root_task::stop()
}
