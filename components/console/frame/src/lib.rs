//! Framing of the serial line between guest and host.
#![no_std]
