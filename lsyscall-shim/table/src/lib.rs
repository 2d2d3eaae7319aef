//! The one table of aarch64 Linux system calls.
#![no_std]
