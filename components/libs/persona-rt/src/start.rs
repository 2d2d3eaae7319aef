//! The way from the root task's `resume` to `main`.

use persona_plan::startup::View;

use crate::runtime::Runtime;

/// Makes `$main`, a `fn(persona_rt::Runtime) -> !`, what the domain's thread starts. The root task gives the address of the
/// start-up page in x0 and has set the stack.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        mod persona_rt_entry {
            #[allow(unused_imports)]
            use super::*;

            #[no_mangle]
            extern "C" fn _start(startup: usize) -> ! {
                $crate::start(startup, $main)
            }
        }
    };
}

/// Bytes of the start-up page that may be read.
const STARTUP_BYTES: usize = 4 * 4096;

/// Sets the domain up and calls `main`.
#[doc(hidden)]
pub fn start(startup: usize, main: fn(Runtime) -> !) -> ! {
    // SAFETY: the root task mapped the start-up page read-only at this address for the whole run and nobody writes it.
    let page = unsafe { core::slice::from_raw_parts(startup as *const u8, STARTUP_BYTES) };
    let Some(view) = View::new(page) else {
        // Nothing is known yet, not even where the IPC buffer is: fault, so that the root task reports the domain.
        panic!("the start-up page is not one");
    };
    let header = view.header();
    // SAFETY: the plan maps the IPC buffer there for this thread alone, for the whole run.
    unsafe { sel4::set_ipc_buffer(header.ipc_buffer as *mut u8) };
    crate::heap::init(header.heap, header.heap_mapped, header.heap_limit);
    main(Runtime::new(view))
}
