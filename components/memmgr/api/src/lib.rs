//! Interface of the memory manager.
#![no_std]
