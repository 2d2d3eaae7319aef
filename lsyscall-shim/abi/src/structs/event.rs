//! Waiting, vectors, messages.

layout! {
    /// struct pollfd.
    PollFd(8) {
        /// Descriptor; negative: ignored.
        fd: i32,
        /// Wanted events.
        events: u16,
        /// What happened.
        revents: u16,
    }
    /// struct epoll_event (not packed on arm64).
    EpollEvent(16) {
        /// Events.
        events: u32,
        /// Padding.
        pad: u32,
        /// The program's own.
        data: u64,
    }
    /// struct iovec.
    Iovec(16) {
        /// Address.
        base: u64,
        /// Bytes.
        len: u64,
    }
    /// Two descriptors (pipe2, socketpair).
    FdPair(8) {
        /// The reading end, or the first.
        first: i32,
        /// The writing end, or the second.
        second: i32,
    }
    /// struct user_msghdr.
    MsgHdr(56) {
        /// Address of the socket address.
        name: u64,
        /// Its length.
        namelen: i32,
        /// Padding.
        pad0: u32,
        /// Address of the iovecs.
        iov: u64,
        /// How many.
        iovlen: u64,
        /// Address of the control messages.
        control: u64,
        /// Their length.
        controllen: u64,
        /// Flags.
        flags: u32,
        /// Padding.
        pad1: u32,
    }
    /// struct open_how.
    OpenHow(24) {
        /// O_*.
        flags: u64,
        /// Mode of a created file.
        mode: u64,
        /// RESOLVE_*.
        resolve: u64,
    }
    /// struct robust_list_head.
    RobustListHead(24) {
        /// First entry.
        list: u64,
        /// From an entry to its futex word.
        futex_offset: i64,
        /// The entry being locked or unlocked.
        list_op_pending: u64,
    }
}
