//! Interface of the console component: bytes to and from the serial line, log lines, and the end of the run.
//!
//! It says what crosses the border and nothing else: it must hold no behaviour, and no call here may block.
#![no_std]
#![deny(unsafe_code)]

use persona_ipc::{interface, wire_struct, Bytes, Chunk};

wire_struct! {
    /// What arrived on the line since the last call.
    #[derive(Clone, Debug)]
    pub struct ConsoleInput {
        /// Input bytes, in order; more may be waiting if it is full.
        pub data: Chunk,
        /// The host closed the input, and all of it has been read.
        pub end: bool,
        /// A new window size was announced.
        pub resized: bool,
        /// Rows of the window (0: unknown).
        pub rows: u16,
        /// Columns of the window (0: unknown).
        pub cols: u16,
    }
}

interface! {
    /// What the components above call. Nothing here blocks.
    pub interface Console, ConsoleService, ConsoleClient, console_dispatch {
        /// Queues program output; returns how many bytes were taken (the queue is bounded). When there is room again the
        /// console signals its client.
        1 => fn write(data: Bytes) -> u64;
        /// Takes input. The console signals its client when there is some.
        2 => fn read() -> ConsoleInput;
        /// A log line (level 1 error .. 5 trace, as in `log`). Dropped, and counted, if the queue is full.
        3 => fn log(level: u8, text: Bytes) -> ();
        /// A piece of system-call trace.
        4 => fn trace(text: Bytes) -> ();
        /// Announces the end of the run, once everything queued has gone out. Reason: 0 exited, 1 killed by a signal, 2 the
        /// system failed.
        5 => fn exit(reason: u8, status: i32) -> ();
        /// Bytes queued and not yet on the line.
        6 => fn queued() -> u64;
    }
}
