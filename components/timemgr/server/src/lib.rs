//! Clocks and one-shot wake-ups.
#![no_std]
