//! Component interfaces as messages.
#![no_std]
