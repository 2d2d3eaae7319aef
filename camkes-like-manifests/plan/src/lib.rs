//! The capability plan's data format.
#![no_std]
