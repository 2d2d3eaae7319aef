//! The kernel's configuration as constants.
#![no_std]
