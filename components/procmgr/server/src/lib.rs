//! Processes, threads, signals, exec.
#![no_std]
