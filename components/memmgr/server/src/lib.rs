//! Address spaces, page faults, VMOs, futexes.
#![no_std]
