//! Interface of the console component.
#![no_std]
