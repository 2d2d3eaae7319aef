//! What the loader leaves behind the root task.
#![no_std]
