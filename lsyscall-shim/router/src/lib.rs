//! Call context and typed dispatch of lsyscalls.
#![no_std]
