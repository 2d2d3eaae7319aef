//! Typed capabilities and invocations of seL4.
#![no_std]
