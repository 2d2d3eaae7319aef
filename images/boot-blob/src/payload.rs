//! How the packer tells the loader what it carries.
//!
//! An image is, from its first byte: the arm64 Image header, the encoded [`Payload`], the loader, the kernel's segments
//! as they lie in memory, and the root task's as they lie in memory. The root task is used where it is, the kernel is
//! copied to the start of RAM.

use crate::words::{DecodeError, Reader, Writer};
use crate::PAGE_SIZE;

/// First word of the table: "PERSLOAD".
pub const MAGIC: u64 = u64::from_le_bytes(*b"PERSLOAD");

/// Version of the table's layout.
pub const VERSION: u64 = 1;

/// Bytes of an encoded table.
pub const ENCODED_LEN: usize = 16 * 8;

/// Where the table lies in the image: behind the arm64 Image header.
pub const OFFSET: usize = 64;

/// Bytes the packer keeps free behind the root task for the boot blob and the device tree.
pub const BLOB_RESERVE: u64 = 64 * 1024;

/// What an image holds. Offsets count from its first byte; all sizes are in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// Size of the loader with its zeroed memory and its stack, page aligned. The packer reads it from the loader's own
    /// table and leaves it.
    pub loader_size: u64,
    /// Where the kernel's memory image begins.
    pub kernel_offset: u64,
    /// Bytes of it in the image.
    pub kernel_file_size: u64,
    /// Bytes of it in memory, page aligned; the rest is zeroed.
    pub kernel_mem_size: u64,
    /// Physical address it goes to.
    pub kernel_phys: u64,
    /// Virtual address to enter it at.
    pub kernel_entry: u64,
    /// Virtual address of its first byte.
    pub kernel_virt: u64,
    /// Where in the kernel's memory image its region table lies.
    pub regions_offset: u64,
    /// Where the root task's memory image begins.
    pub root_offset: u64,
    /// Bytes of it in the image.
    pub root_file_size: u64,
    /// Bytes of it in memory, page aligned; the rest is zeroed.
    pub root_mem_size: u64,
    /// Virtual address of its first byte, page aligned.
    pub root_virt: u64,
    /// Virtual address to enter it at.
    pub root_entry: u64,
    /// Size of the image in memory, with [`BLOB_RESERVE`] at its end.
    pub image_size: u64,
}

impl Payload {
    /// The table as it lies in the image.
    pub fn encode(&self) -> [u8; ENCODED_LEN] {
        let mut bytes = [0; ENCODED_LEN];
        let mut words = Writer::new(&mut bytes, MAGIC, VERSION);
        for word in [
            self.loader_size,
            self.kernel_offset,
            self.kernel_file_size,
            self.kernel_mem_size,
            self.kernel_phys,
            self.kernel_entry,
            self.kernel_virt,
            self.regions_offset,
            self.root_offset,
            self.root_file_size,
            self.root_mem_size,
            self.root_virt,
            self.root_entry,
            self.image_size,
        ] {
            words.put(word);
        }
        bytes
    }

    /// Reads a table from the start of `bytes`. [`Payload::check`] says whether it describes an image.
    pub fn decode(bytes: &[u8]) -> Result<Payload, DecodeError> {
        let mut words = Reader::new(bytes, MAGIC, VERSION)?;
        Ok(Payload {
            loader_size: words.take()?,
            kernel_offset: words.take()?,
            kernel_file_size: words.take()?,
            kernel_mem_size: words.take()?,
            kernel_phys: words.take()?,
            kernel_entry: words.take()?,
            kernel_virt: words.take()?,
            regions_offset: words.take()?,
            root_offset: words.take()?,
            root_file_size: words.take()?,
            root_mem_size: words.take()?,
            root_virt: words.take()?,
            root_entry: words.take()?,
            image_size: words.take()?,
        })
    }

    /// Do the values fit together?
    pub fn check(&self) -> Result<(), DecodeError> {
        let paged = [
            self.loader_size,
            self.kernel_offset,
            self.kernel_mem_size,
            self.kernel_phys,
            self.root_offset,
            self.root_mem_size,
            self.root_virt,
            self.image_size,
        ];
        // Sums below cannot overflow: no size is near 2^62, and addresses are compared by difference.
        let small = [
            self.loader_size,
            self.kernel_offset,
            self.kernel_file_size,
            self.kernel_mem_size,
            self.regions_offset,
            self.root_offset,
            self.root_file_size,
            self.root_mem_size,
            self.image_size,
        ];
        let sound = paged.iter().all(|value| value % PAGE_SIZE == 0)
            && small.iter().all(|value| *value < 1 << 40)
            && self.loader_size <= self.kernel_offset
            && self.kernel_file_size <= self.kernel_mem_size
            && self.kernel_offset + self.kernel_file_size <= self.root_offset
            && self.regions_offset < self.kernel_file_size
            && self
                .kernel_entry
                .checked_sub(self.kernel_virt)
                .is_some_and(|at| at < self.kernel_file_size)
            && self.root_file_size <= self.root_mem_size
            && self
                .root_entry
                .checked_sub(self.root_virt)
                .is_some_and(|at| at < self.root_file_size)
            && self.root_offset + self.root_mem_size + BLOB_RESERVE <= self.image_size;
        if sound {
            Ok(())
        } else {
            Err(DecodeError::Inconsistent)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Payload {
        Payload {
            loader_size: 0x1_0000,
            kernel_offset: 0x1_0000,
            kernel_file_size: 0x1_2345,
            kernel_mem_size: 0x2_0000,
            kernel_phys: 0x4000_0000,
            kernel_entry: 0xffff_ff80_0000_0000,
            kernel_virt: 0xffff_ff80_0000_0000,
            regions_offset: 0x4000,
            root_offset: 0x3_0000,
            root_file_size: 0x5678,
            root_mem_size: 0x8000,
            root_virt: 0x40_0000,
            root_entry: 0x40_0100,
            image_size: 0x4_8000,
        }
    }

    #[test]
    fn survives_the_trip() {
        let bytes = sample().encode();
        assert_eq!(Payload::decode(&bytes), Ok(sample()));
        assert_eq!(sample().check(), Ok(()));
        assert_eq!(Payload::decode(&bytes[..100]), Err(DecodeError::Short));
    }

    #[test]
    fn refuses_what_does_not_fit_together() {
        for broken in [
            Payload {
                loader_size: 0x2_0000,
                ..sample()
            },
            Payload {
                kernel_file_size: 0x2_0001,
                ..sample()
            },
            Payload {
                kernel_file_size: u64::MAX,
                kernel_mem_size: u64::MAX - 4095,
                ..sample()
            },
            Payload {
                kernel_phys: 1,
                ..sample()
            },
            Payload {
                kernel_entry: 0,
                ..sample()
            },
            Payload {
                regions_offset: 0x1_2345,
                ..sample()
            },
            Payload {
                root_offset: 0x1_0000,
                ..sample()
            },
            Payload {
                root_file_size: 0x9000,
                ..sample()
            },
            Payload {
                root_entry: 0x40_5678,
                ..sample()
            },
            Payload {
                image_size: 0x4_7000,
                ..sample()
            },
        ] {
            assert_eq!(
                broken.check(),
                Err(DecodeError::Inconsistent),
                "{broken:x?}"
            );
        }
    }
}
