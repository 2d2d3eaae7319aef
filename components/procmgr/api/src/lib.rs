//! Process table shared by procmgr with its readers.
#![no_std]
