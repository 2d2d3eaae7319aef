//! PL011 console component.
#![no_std]
