//! Linux types, errno values and user pointers.
#![no_std]
