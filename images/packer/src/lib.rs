//! Packs loader, kernel and root task into one bootable image; cpio archives.
