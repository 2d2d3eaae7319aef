//! The end of a root task that cannot go on.

use core::panic::PanicInfo;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

use sel4::cap::Endpoint;

static HOOK: AtomicPtr<()> = AtomicPtr::new(null_mut());

/// Calls `hook` with every panic's message, after it was printed and before the thread stops. A panic within the hook is
/// not given to it again.
pub fn set_panic_hook(hook: fn(&PanicInfo<'_>)) {
    HOOK.store(hook as *mut (), Ordering::Relaxed);
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    sel4::debug_println!("root task: {info}");
    let hook = HOOK.swap(null_mut(), Ordering::Relaxed);
    if !hook.is_null() {
        // SAFETY: only `set_panic_hook` stores here, a function of this type.
        let hook = unsafe { core::mem::transmute::<*mut (), fn(&PanicInfo<'_>)>(hook) };
        hook(info);
    }
    stop()
}

/// Ends this thread for good; all others go on.
pub fn stop() -> ! {
    loop {
        let _ = sel4::init_thread::TCB.suspend();
        // Without its TCB capability the thread still blocks: it faults, and nobody handles that.
        let _ = Endpoint::NULL.recv_mrs();
    }
}
