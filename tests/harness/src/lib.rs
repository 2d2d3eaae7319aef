//! Boots images in QEMU and checks what they say.
