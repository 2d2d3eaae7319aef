//! Descriptors, VFS, tmpfs, devfs, procfs, pipes, poll.
#![no_std]
