//! Why the system cannot be started.

use core::fmt;

use boot_blob::DecodeError;

use crate::range::Range;

/// A reason to stop. The loader prints it on the UART.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Entered at an exception level other than 1 and 2.
    ExceptionLevel(u64),
    /// The table the packer left in the image.
    Payload(DecodeError),
    /// Register x0 points to no device tree.
    NoDeviceTree(u64),
    /// The device tree cannot be read.
    DeviceTree(&'static str),
    /// Physical memory begins elsewhere than the kernel expects: found, expected.
    RamStart(u64, u64),
    /// The image is not page aligned.
    Unaligned(u64),
    /// The image lies where the kernel has to go: where it lies, where the kernel ends.
    ImageTooLow(u64, u64),
    /// Image and boot blob do not fit into RAM: what they need, and the end of RAM.
    NoRoom(Range, u64),
    /// Two parts of physical memory overlap: their names and places.
    Overlap(&'static str, Range, &'static str, Range),
    /// A part of physical memory that must be RAM is not.
    NotRam(&'static str, Range),
    /// There are more of these than the loader or the kernel has room for.
    TooMany(&'static str),
    /// The kernel's region table is not where the image says.
    RegionTable,
    /// The board's interrupt controller is not the one the kernel drives.
    NoGic,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::ExceptionLevel(level) => {
                write!(f, "entered at exception level {level}; 1 or 2 are needed")
            }
            Error::Payload(why) => write!(f, "the image's table is unusable: {why}"),
            Error::NoDeviceTree(address) => write!(f, "x0 points to no device tree ({address:#x})"),
            Error::DeviceTree(why) => write!(f, "the device tree is unusable: {why}"),
            Error::RamStart(found, expected) => write!(
                f,
                "RAM starts at {found:#x}; the kernel needs {expected:#x}"
            ),
            Error::Unaligned(base) => {
                write!(f, "the image is at {base:#x}, not at the start of a page")
            }
            Error::ImageTooLow(base, end) => write!(
                f,
                "the image at {base:#x} covers the kernel's place up to {end:#x}"
            ),
            Error::NoRoom(need, end) => write!(
                f,
                "not enough RAM: the image needs {need}, RAM ends at {end:#x}"
            ),
            Error::Overlap(one, here, other, there) => {
                write!(f, "{one} at {here} overlaps {other} at {there}")
            }
            Error::NotRam(what, range) => write!(f, "{what} at {range} is not in RAM"),
            Error::TooMany(what) => write!(f, "too many {what}"),
            Error::RegionTable => {
                write!(f, "the kernel's region table is not where the image says")
            }
            Error::NoGic => write!(f, "the board has no GICv2 (QEMU: -M virt,gic-version=2)"),
        }
    }
}

impl core::error::Error for Error {}
