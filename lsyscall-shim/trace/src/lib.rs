//! strace-like rendering of lsyscalls.
#![no_std]
