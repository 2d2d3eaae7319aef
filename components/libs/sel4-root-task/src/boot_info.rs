//! What the kernel tells the first thread.

use core::ops::Range;
use core::slice;

use boot_blob::BootBlob;
use sel4::cap::{Granule, Untyped};
use sel4::sys::{seL4_BootInfo, seL4_SlotRegion};

use crate::PAGE_SIZE;

/// The kernel's boot info.
#[derive(Debug, Clone, Copy)]
pub struct BootInfo(&'static seL4_BootInfo);

/// An untyped capability the kernel left to the root task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UntypedDesc {
    /// Its capability.
    pub cap: Untyped,
    /// Physical address.
    pub paddr: u64,
    /// Binary logarithm of its bytes.
    pub size_bits: u8,
    /// Whether it is device memory (which the kernel neither clears nor uses for objects other than frames).
    pub is_device: bool,
}

fn slots(region: seL4_SlotRegion) -> Range<u64> {
    region.start..region.end
}

impl BootInfo {
    /// # Safety
    /// `address` must be the address of the kernel's boot info, mapped and unchanged for good.
    pub(crate) unsafe fn from_address(address: *const u8) -> BootInfo {
        // SAFETY: by the caller's promise; the struct is packed, so any address is aligned.
        BootInfo(unsafe { &*address.cast::<seL4_BootInfo>() })
    }

    /// Address of the thread's IPC buffer, the page behind the user image.
    pub fn ipc_buffer(&self) -> *mut u8 {
        let address = self.0.ipcBuffer;
        address.cast()
    }

    /// Empty slots of the root CNode.
    pub fn empty_slots(&self) -> Range<u64> {
        slots(self.0.empty)
    }

    /// Slots of the frames of the user image, one per page, in the order of the addresses.
    pub fn image_frames(&self) -> Range<u64> {
        slots(self.0.userImageFrames)
    }

    /// Slots of the frames in which the kernel counts processor time (patch O), one per page.
    pub fn usage_frames(&self) -> Range<u64> {
        slots(self.0.sharedFrames)
    }

    /// Slots of the paging structures of the user image.
    pub fn image_paging(&self) -> Range<u64> {
        slots(self.0.userImagePaging)
    }

    /// Binary logarithm of the slots of the root CNode.
    pub fn cnode_size_bits(&self) -> u8 {
        self.0.initThreadCNodeSizeBits
    }

    /// The addresses of the user image, boot blob included.
    pub fn image(&self) -> Range<usize> {
        let frames = self.image_frames();
        let end = self.ipc_buffer() as usize;
        let size = (frames.end.saturating_sub(frames.start) as usize).saturating_mul(PAGE_SIZE);
        end.saturating_sub(size)..end
    }

    /// The frame of the user image that `address` lies in.
    pub fn image_frame(&self, address: usize) -> Option<Granule> {
        let image = self.image();
        if !image.contains(&address) {
            return None;
        }
        let index = (address - image.start) / PAGE_SIZE;
        Some(Granule::from_bits(self.image_frames().start + index as u64))
    }

    /// The untyped capabilities, in the order of their slots.
    pub fn untypeds(&self) -> impl Iterator<Item = UntypedDesc> {
        let slots = slots(self.0.untyped);
        let info = self.0;
        slots
            .zip(0..info.untypedList.len())
            .map(move |(slot, index)| {
                let desc = info.untypedList[index];
                UntypedDesc {
                    cap: Untyped::from_bits(slot),
                    paddr: desc.paddr,
                    size_bits: desc.sizeBits,
                    is_device: desc.isDevice != 0,
                }
            })
    }

    /// What the loader left behind the image: the decoded blob and its bytes, the device tree among them (see
    /// [`BootBlob::dtb`]). `None` if there is none.
    pub fn blob(&self) -> Option<(BootBlob, &'static [u8])> {
        let start = usize::try_from(boot_blob::address(image_end() as u64)?).ok()?;
        let image = self.image();
        if start < image.start || start >= image.end {
            return None;
        }
        // SAFETY: the kernel maps the whole user image readable; what lies behind the linked image is written by the
        // loader only, before the start.
        let bytes = unsafe { slice::from_raw_parts(start as *const u8, image.end - start) };
        let blob = BootBlob::decode(bytes).ok()?;
        let bytes = bytes.get(..usize::try_from(blob.total_len).ok()?)?;
        Some((blob, bytes))
    }
}

/// The end of the image as linked.
fn image_end() -> usize {
    extern "C" {
        /// Defined by the linker.
        static _end: u8;
    }
    &raw const _end as usize
}
