//! Windows of one page in the root task's own address space through which it reaches other frames.

use core::cell::UnsafeCell;

use sel4::cap::Granule;
use sel4::{init_thread, CapRights, VmAttributes, GRANULE_SIZE};
use sel4_root_task::BootInfo;

use super::failure::Failure;

/// A page of the image whose frame is taken away, so that others can be mapped in its place.
#[repr(C, align(4096))]
pub struct Window(UnsafeCell<[u8; GRANULE_SIZE]>);

// SAFETY: nothing reads or writes the bytes as Rust objects; they are reached through raw pointers by the one thread.
unsafe impl Sync for Window {}

impl Window {
    /// A window.
    pub const fn new() -> Window {
        Window(UnsafeCell::new([0; GRANULE_SIZE]))
    }

    /// Its address.
    pub fn address(&self) -> *mut u8 {
        self.0.get().cast()
    }

    /// Takes the page's own frame away.
    pub fn clear(&self, boot: &BootInfo) -> Result<(), Failure> {
        boot.image_frame(self.address() as usize)
            .ok_or_else(|| Failure::new(format_args!("the boot info does not cover the image")))?
            .unmap()
            .map_err(|error| Failure::new(format_args!("clearing a window: {error}")))
    }

    /// Maps a frame (a capability that is not mapped anywhere) here.
    pub fn map(&self, frame: Granule, attributes: VmAttributes) -> Result<(), Failure> {
        let rights = CapRights::READ_WRITE;
        frame
            .map(
                init_thread::VSPACE,
                self.address() as u64,
                rights,
                attributes,
            )
            .map_err(|error| Failure::new(format_args!("mapping a window: {error}")))
    }
}

static SCRATCH: Window = Window::new();

/// A way to write frames that others will have.
pub struct Scratch {
    /// An empty slot for the capability by which a frame is mapped here.
    slot: u64,
}

impl Scratch {
    /// Sets the window up; `slot` is an empty slot of the root task.
    pub fn new(boot: &BootInfo, slot: u64) -> Result<Scratch, Failure> {
        SCRATCH.clear(boot)?;
        Ok(Scratch { slot })
    }

    /// Writes the start of a frame.
    pub fn write(&mut self, frame: Granule, bytes: &[u8]) -> Result<(), Failure> {
        let fail = |error| Failure::new(format_args!("writing a frame: {error}"));
        let slot = init_thread::slot(self.slot);
        slot.copy(&init_thread::slot(frame.bits()), CapRights::ALL)
            .map_err(fail)?;
        SCRATCH.map(
            Granule::from_bits(self.slot),
            VmAttributes::CACHED | VmAttributes::EXECUTE_NEVER,
        )?;
        let len = bytes.len().min(GRANULE_SIZE);
        // SAFETY: a whole frame is mapped writable at the window, which no Rust object uses; `bytes` lies elsewhere.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), SCRATCH.address(), len) };
        // Deleting the capability unmaps the frame.
        slot.delete().map_err(fail)
    }
}
