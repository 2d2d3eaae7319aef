//! The page mapped into every Linux process.
#![no_std]
