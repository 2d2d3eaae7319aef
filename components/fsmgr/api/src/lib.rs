//! Interface of the file manager.
#![no_std]
