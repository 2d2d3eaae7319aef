//! Entry, heap and boot info for a root task.
#![no_std]
