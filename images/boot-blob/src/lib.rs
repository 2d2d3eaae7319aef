//! What the loader tells others about the machine and the image.
//!
//! - [`BootBlob`]: left by the loader behind the root task's image, for the root task.
//! - [`payload::Payload`]: left by the packer at the start of the loader, for the loader.
//!
//! Both are tables of little-endian 64-bit words with a magic number and a version in front, written and read without
//! `unsafe`. This crate holds the formats alone; it must not know how the one or the other is found.
#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod payload;
mod words;

pub use words::DecodeError;

use words::{Reader, Writer};

/// Size of a page, to which the blob is aligned, in bytes.
pub const PAGE_SIZE: u64 = 4096;

/// First word of a blob: "PERSBLOB".
pub const MAGIC: u64 = u64::from_le_bytes(*b"PERSBLOB");

/// Version of the blob's layout.
pub const VERSION: u64 = 1;

/// Bytes of an encoded blob, without the device tree behind it.
pub const ENCODED_LEN: usize = 15 * 8;

/// Where the device tree begins, in bytes from the start of the blob; a multiple of 8, as device trees want.
pub const DTB_OFFSET: u64 = 256;

/// Where the blob lies, virtually or physically, given the end of the root task's image: the highest end of its loadable
/// segments, their zeroed part included. Nothing if that is beyond the address space.
pub const fn address(image_end: u64) -> Option<u64> {
    match image_end.checked_add(PAGE_SIZE - 1) {
        Some(end) => Some(end & !(PAGE_SIZE - 1)),
        None => None,
    }
}

/// What the loader found, and did. All addresses are physical, all sizes and lengths in bytes, all ranges without their
/// end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BootBlob {
    /// Bytes from the start of the blob to the end of its last page, which is the end of the user image.
    pub total_len: u64,
    /// Where the device tree begins, from the start of the blob.
    pub dtb_offset: u64,
    /// Length of the device tree.
    pub dtb_len: u64,
    /// Start of the initial RAM disk; equal to its end if there is none. The pages it touches are a device region.
    pub initrd_start: u64,
    /// End of the initial RAM disk.
    pub initrd_end: u64,
    /// Start of RAM.
    pub ram_start: u64,
    /// Size of all RAM, the parts in use included.
    pub ram_size: u64,
    /// Start of the user image, page aligned.
    pub image_start: u64,
    /// End of the user image, page aligned; the last page of the blob is its last one.
    pub image_end: u64,
    /// Virtual address of `image_start` in the root task.
    pub image_virt: u64,
    /// CNTVCT_EL0 when the loader was entered.
    pub entry_ticks: u64,
    /// CNTVCT_EL0 when the loader entered the kernel.
    pub handover_ticks: u64,
    /// Counts per second of the counter.
    pub tick_hz: u64,
}

impl BootBlob {
    /// The blob as it lies in memory.
    pub fn encode(&self) -> [u8; ENCODED_LEN] {
        let mut bytes = [0; ENCODED_LEN];
        let mut words = Writer::new(&mut bytes, MAGIC, VERSION);
        for word in self.fields() {
            words.put(word);
        }
        bytes
    }

    /// Reads a blob from the start of `bytes`, and checks that it fits together.
    pub fn decode(bytes: &[u8]) -> Result<BootBlob, DecodeError> {
        let mut words = Reader::new(bytes, MAGIC, VERSION)?;
        let blob = BootBlob {
            total_len: words.take()?,
            dtb_offset: words.take()?,
            dtb_len: words.take()?,
            initrd_start: words.take()?,
            initrd_end: words.take()?,
            ram_start: words.take()?,
            ram_size: words.take()?,
            image_start: words.take()?,
            image_end: words.take()?,
            image_virt: words.take()?,
            entry_ticks: words.take()?,
            handover_ticks: words.take()?,
            tick_hz: words.take()?,
        };
        let dtb_fits = blob.dtb_offset >= ENCODED_LEN as u64
            && blob
                .dtb_offset
                .checked_add(blob.dtb_len)
                .is_some_and(|end| end <= blob.total_len);
        let ordered = blob.initrd_start <= blob.initrd_end && blob.image_start <= blob.image_end;
        let whole = [
            blob.total_len,
            blob.image_start,
            blob.image_end,
            blob.image_virt,
        ]
        .iter()
        .all(|address| address % PAGE_SIZE == 0);
        if dtb_fits && ordered && whole {
            Ok(blob)
        } else {
            Err(DecodeError::Inconsistent)
        }
    }

    /// The device tree, given the bytes of the blob, [`BootBlob::total_len`] of them. Nothing if there are fewer.
    pub fn dtb<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let start = usize::try_from(self.dtb_offset).ok()?;
        let len = usize::try_from(self.dtb_len).ok()?;
        bytes.get(start..start.checked_add(len)?)
    }

    fn fields(&self) -> [u64; 13] {
        [
            self.total_len,
            self.dtb_offset,
            self.dtb_len,
            self.initrd_start,
            self.initrd_end,
            self.ram_start,
            self.ram_size,
            self.image_start,
            self.image_end,
            self.image_virt,
            self.entry_ticks,
            self.handover_ticks,
            self.tick_hz,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> BootBlob {
        BootBlob {
            total_len: 0x3000,
            dtb_offset: DTB_OFFSET,
            dtb_len: 0x2345,
            initrd_start: 0x4800_0000,
            initrd_end: 0x4800_1234,
            ram_start: 0x4000_0000,
            ram_size: 1 << 30,
            image_start: 0x4010_0000,
            image_end: 0x4050_0000,
            image_virt: 0x40_0000,
            entry_ticks: 5,
            handover_ticks: 6,
            tick_hz: 62_500_000,
        }
    }

    #[test]
    fn survives_the_trip() {
        let bytes = sample().encode();
        assert_eq!(BootBlob::decode(&bytes), Ok(sample()));
        assert_eq!(&bytes[..8], b"PERSBLOB");
        assert!((ENCODED_LEN as u64) <= DTB_OFFSET);
    }

    #[test]
    fn refuses_what_is_no_blob() {
        let good = sample().encode();
        assert_eq!(
            BootBlob::decode(&good[..ENCODED_LEN - 1]),
            Err(DecodeError::Short)
        );
        let mut bad = good;
        bad[0] ^= 1;
        assert_eq!(BootBlob::decode(&bad), Err(DecodeError::Magic));
        let mut bad = good;
        bad[8] = 9;
        assert_eq!(BootBlob::decode(&bad), Err(DecodeError::Version(9)));
        for broken in [
            BootBlob {
                dtb_len: 0x3000,
                ..sample()
            },
            BootBlob {
                dtb_len: u64::MAX,
                ..sample()
            },
            BootBlob {
                dtb_offset: 0,
                ..sample()
            },
            BootBlob {
                initrd_end: 0,
                ..sample()
            },
            BootBlob {
                image_end: 0,
                ..sample()
            },
            BootBlob {
                image_virt: 1,
                ..sample()
            },
            BootBlob {
                total_len: 0x2fff,
                ..sample()
            },
        ] {
            assert_eq!(
                BootBlob::decode(&broken.encode()),
                Err(DecodeError::Inconsistent)
            );
        }
    }

    #[test]
    fn gives_the_device_tree_only_from_enough_bytes() {
        let blob = sample();
        let bytes = std::vec![7; 0x3000];
        assert_eq!(blob.dtb(&bytes).map(<[u8]>::len), Some(0x2345));
        assert_eq!(blob.dtb(&bytes[..0x2000]), None);
    }

    #[test]
    fn lies_on_the_page_behind_the_image() {
        assert_eq!(address(0x1000), Some(0x1000));
        assert_eq!(address(0x1001), Some(0x2000));
        assert_eq!(address(u64::MAX), None);
    }
}
