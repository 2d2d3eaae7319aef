//! Raw seL4 system calls, invocations and layouts, generated from the kernel tree.
#![no_std]
