//! Sockets of the local family (unix(7)): what a socket is; the calls are in `calls/socket.rs`.

pub mod cycles;
pub mod data;
pub mod message;

use alloc::collections::VecDeque;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use lsyscall_abi::consts::socket_type::{SOCK_DGRAM, SOCK_STREAM};
use lsyscall_abi::PollFlags;

use hashbrown::HashMap;

use crate::file::File;
use crate::pipe::Ring;
use crate::wait::{RunList, WaitQueue};

/// Bytes that wait at a socket, at most.
pub const BUFFER: usize = 1 << 17;
/// Messages that wait at a socket, at most.
pub const MAX_RECORDS: usize = 512;
/// Connections that wait to be accepted, at most.
pub const MAX_BACKLOG: usize = 128;

/// Process, user, group: what SO_PEERCRED and SCM_CREDENTIALS tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerCreds {
    /// Process id.
    pub pid: i32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl PeerCreds {
    /// As struct ucred.
    pub fn to_bytes(self) -> [u8; 12] {
        let mut out = [0; 12];
        let words = [self.pid as u32, self.uid, self.gid];
        for (to, word) in out.chunks_exact_mut(4).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        out
    }
}

/// Sockets with abstract names.
#[derive(Default)]
pub struct Names(RefCell<HashMap<Vec<u8>, Weak<Socket>>>);

impl Names {
    /// The socket of a name, while it is there.
    pub fn get(&self, name: &[u8]) -> Option<Rc<Socket>> {
        self.0.borrow().get(name)?.upgrade()
    }

    /// Gives a socket a name.
    pub fn add(&self, name: &[u8], socket: &Rc<Socket>) {
        let mut names = self.0.borrow_mut();
        names.retain(|_, s| s.strong_count() > 0);
        names.insert(name.to_vec(), Rc::downgrade(socket));
    }
}

/// Bytes that belong together: a message, or what was written to a stream since descriptors came along.
pub struct Record {
    /// Bytes left of it.
    pub len: usize,
    /// Descriptors that travel with its first byte.
    pub rights: Vec<Rc<File>>,
    /// The sender's name (datagrams).
    pub from: Vec<u8>,
    /// The sender.
    pub creds: PeerCreds,
}

/// What a socket is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing yet.
    Idle,
    /// Waiting for connections.
    Listening,
    /// Connected, perhaps to one that has gone.
    Connected,
}

/// A socket.
pub struct Socket {
    /// SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET.
    pub kind: u32,
    /// Everyone who waits for it.
    pub queue: WaitQueue,
    /// What it is doing.
    pub state: Cell<State>,
    /// The other end, or where datagrams go.
    pub peer: RefCell<Weak<Socket>>,
    /// Bytes that have arrived.
    pub ring: Ring,
    /// How they belong together.
    pub records: RefCell<VecDeque<Record>>,
    /// No more is read.
    pub read_shut: Cell<bool>,
    /// No more is written.
    pub write_shut: Cell<bool>,
    /// The other end has gone without reading everything.
    pub reset: Cell<bool>,
    /// Its name; empty: none; starting with NUL: abstract.
    pub name: RefCell<Vec<u8>>,
    /// The other end's name.
    pub peer_name: RefCell<Vec<u8>>,
    /// Its maker.
    pub creds: Cell<PeerCreds>,
    /// The other end's maker.
    pub peer_creds: Cell<PeerCreds>,
    /// Connections that wait to be accepted.
    pub backlog: RefCell<VecDeque<Rc<Socket>>>,
    /// How many may wait.
    pub backlog_max: Cell<usize>,
    /// SO_PASSCRED.
    pub pass_creds: Cell<bool>,
    /// SO_RCVTIMEO in nanoseconds; `None`: for ever.
    pub receive_timeout: Cell<Option<u64>>,
    /// SO_SNDTIMEO.
    pub send_timeout: Cell<Option<u64>>,
}

impl Socket {
    /// A socket of a type.
    pub fn new(run: &Rc<RunList>, kind: u32, creds: PeerCreds) -> Rc<Self> {
        Rc::new(Socket {
            kind,
            queue: WaitQueue::new(run),
            state: Cell::new(State::Idle),
            peer: RefCell::new(Weak::new()),
            ring: Ring::new(BUFFER),
            records: RefCell::new(VecDeque::new()),
            read_shut: Cell::new(false),
            write_shut: Cell::new(false),
            reset: Cell::new(false),
            name: RefCell::new(Vec::new()),
            peer_name: RefCell::new(Vec::new()),
            creds: Cell::new(creds),
            peer_creds: Cell::new(PeerCreds::default()),
            backlog: RefCell::new(VecDeque::new()),
            backlog_max: Cell::new(0),
            pass_creds: Cell::new(false),
            receive_timeout: Cell::new(None),
            send_timeout: Cell::new(None),
        })
    }

    /// Whether bytes have no boundaries.
    pub fn is_stream(&self) -> bool {
        self.kind == SOCK_STREAM
    }

    /// Whether it works without a connection.
    pub fn is_datagram(&self) -> bool {
        self.kind == SOCK_DGRAM
    }

    /// Connects two sockets to each other.
    pub fn pair(a: &Rc<Socket>, b: &Rc<Socket>) {
        for (one, other) in [(a, b), (b, a)] {
            *one.peer.borrow_mut() = Rc::downgrade(other);
            *one.peer_name.borrow_mut() = other.name.borrow().clone();
            one.peer_creds.set(other.creds.get());
            one.state.set(State::Connected);
        }
    }

    /// The other end, while it is there.
    pub fn other(&self) -> Option<Rc<Socket>> {
        self.peer.borrow().upgrade()
    }

    /// Whether everything the other end will ever send has arrived.
    pub fn ended(&self) -> bool {
        self.read_shut.get()
            || (!self.is_datagram()
                && self.state.get() == State::Connected
                && self.other().is_none_or(|p| p.write_shut.get()))
    }

    /// Bytes waiting to be read: all of a stream's, or the first message's.
    pub fn readable_len(&self) -> usize {
        if self.is_stream() {
            self.ring.len()
        } else {
            self.records.borrow().front().map_or(0, |r| r.len)
        }
    }

    /// Bytes written that the other end has not read.
    pub fn unsent_len(&self) -> usize {
        self.other().map_or(0, |p| p.ring.len())
    }

    /// Whether a write would find room.
    pub fn has_room(&self) -> bool {
        match self.other() {
            Some(peer) => {
                peer.ring.room() >= BUFFER / 4 && peer.records.borrow().len() < MAX_RECORDS
            }
            None => true,
        }
    }

    /// What poll(2) says.
    pub fn poll(&self) -> u32 {
        let mut mask = PollFlags::empty();
        match self.state.get() {
            State::Listening => {
                if !self.backlog.borrow().is_empty() {
                    mask |= PollFlags::IN | PollFlags::RDNORM;
                }
                return mask.bits();
            }
            State::Idle if !self.is_datagram() => {
                return (PollFlags::OUT | PollFlags::HUP).bits();
            }
            _ => {}
        }
        let ended = self.ended();
        if !self.records.borrow().is_empty() || ended {
            mask |= PollFlags::IN | PollFlags::RDNORM;
        }
        if ended {
            mask |= PollFlags::RDHUP;
        }
        let gone = !self.is_datagram() && self.other().is_none();
        if gone || (self.read_shut.get() && self.write_shut.get()) {
            mask |= PollFlags::HUP;
        }
        if self.reset.get() {
            mask |= PollFlags::ERR;
        }
        if self.has_room() {
            mask |= PollFlags::OUT | PollFlags::WRNORM;
        }
        mask.bits()
    }

    /// shutdown(2) of one or both directions.
    pub fn shut(&self, reads: bool, writes: bool) {
        if reads {
            self.read_shut.set(true);
        }
        if writes {
            self.write_shut.set(true);
        }
        self.queue.wake();
        if let Some(peer) = self.other() {
            if !self.is_datagram() {
                peer.queue.wake();
            }
        }
    }

    /// The last description of it was closed.
    pub fn close(&self) {
        if let Some(peer) = self.other() {
            if !self.is_datagram() {
                peer.reset.set(peer.reset.get() || !self.ring.is_empty());
            }
            *self.peer.borrow_mut() = Weak::new();
            if !self.is_datagram() {
                // It must not be found as the other end any more, whoever else holds this one.
                *peer.peer.borrow_mut() = Weak::new();
            }
            peer.queue.wake();
        }
        let waiting: Vec<Rc<Socket>> = self.backlog.borrow_mut().drain(..).collect();
        for socket in waiting {
            socket.close();
        }
        self.queue.wake();
    }
}
