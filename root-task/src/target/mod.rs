//! The root task proper.

mod build;
mod device;
mod failure;
mod image;
mod memory;
mod output;
mod page;
mod start;
mod supervise;

use alloc::string::String;

use console_frame::Exit;
use dtoolkit::fdt::Fdt;
use dtoolkit::{Node, Property};
use failure::Failure;
use output::Output;
use persona_plan::{archive, Plan};
use sel4_root_task::BootInfo;

sel4_root_task::entry!(main, stack = 32 * 1024, heap = 384 * 1024);

/// The archive, where its read-only pages can be mapped from.
#[repr(C, align(4096))]
struct Aligned<T: ?Sized>(T);

static ARCHIVE: &Aligned<[u8]> = &Aligned(*include_bytes!(env!("PERSONA_ARCHIVE")));

fn main(boot: BootInfo) -> ! {
    let bootargs = bootargs(&boot).unwrap_or_default();
    let mut output = Output::new(&bootargs);
    match run(&boot, &bootargs, &mut output) {
        Ok(never) => match never {},
        Err(failure) => {
            output.log(output::ERROR, format_args!("root task: {failure}"));
            output.exit(Exit::System(1));
        }
    }
    sel4_root_task::stop()
}

fn run(
    boot: &BootInfo,
    bootargs: &str,
    output: &mut Output,
) -> Result<core::convert::Infallible, Failure> {
    let contents = &ARCHIVE.0;
    let index = archive::read(contents).map_err(|e| Failure::new(format_args!("{e}")))?;
    let plan = usize::try_from(index.plan.0)
        .ok()
        .and_then(|at| contents.get(at..))
        .and_then(|rest| rest.get(..usize::try_from(index.plan.1).ok()?))
        .and_then(|bytes| Plan::from_bytes(bytes).ok())
        .ok_or_else(|| Failure::new(format_args!("the plan does not decode")))?;
    let mut made = build::Made::new(boot, &plan)?;
    made.devices(output)?;
    made.objects()?;
    made.domains(contents, &index)?;
    made.start(bootargs, output)?;
    supervise::run(&plan, &mut made, output)
}

/// The boot arguments from the device tree the loader left.
fn bootargs(boot: &BootInfo) -> Option<String> {
    let (blob, bytes) = boot.blob()?;
    let fdt = Fdt::new(blob.dtb(bytes)?).ok()?;
    let chosen = fdt.root().child("chosen")?;
    let value = chosen.property("bootargs")?;
    let text = core::str::from_utf8(value.value()).ok()?;
    let text = text.trim_end_matches('\0');
    Some(String::from(text))
}
