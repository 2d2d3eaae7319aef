//! What a protection domain runs on: entry, heap, event loop.
#![no_std]
