//! Packs loader, kernel and root task into one bootable image; root file systems into cpio archives.
//!
//! A root file system is put together as a [`tree::Tree`] (from the recipe in `images/rootfs`, folders, tar archives and
//! single files, later ones covering earlier ones) and written as one archive by [`cpio::write`] for the guest, or by [`tarball::write`].
//!
//! It must never change what it packs: contents, modes, owners and links arrive in the guest as they are.
#![deny(unsafe_code)]

pub mod cpio;
pub mod image;
pub mod recipe;
pub mod source;
pub mod tarball;
pub mod tree;
