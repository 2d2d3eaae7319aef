//! Interface of the time manager.
#![no_std]
