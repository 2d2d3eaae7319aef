//! Bytes through sockets.

use alloc::rc::Rc;
use alloc::vec::Vec;

use console_api::Console;
use lsyscall_abi::{Errno, PollFlags, ThreadIdx};
use memmgr_api::Memory;

use crate::file::File;
use crate::heap::headroom;
use crate::io::{Dst, Io, Src};
use crate::unix::{PeerCreds, Record, Socket, State, BUFFER, MAX_RECORDS};
use crate::FsMgr;

/// What came with the bytes of a read.
#[derive(Default)]
pub struct Received {
    /// Bytes moved.
    pub len: usize,
    /// Bytes the message had, when it was longer.
    pub full: usize,
    /// Descriptors.
    pub rights: Vec<Rc<File>>,
    /// The sender's name.
    pub from: Vec<u8>,
    /// The sender.
    pub creds: PeerCreds,
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    pub(crate) fn read_socket(
        &mut self,
        socket: &Rc<Socket>,
        dst: &mut Dst<'_>,
    ) -> Result<Io, Errno> {
        Ok(match self.receive(socket, dst, 0, false)? {
            Some(got) => Io::Done(got.len),
            None => Io::Wait,
        })
    }

    /// Takes what has arrived, from `dst`'s position `at` on; with `peek` it stays. `None`: nothing has.
    pub(crate) fn receive(
        &mut self,
        socket: &Rc<Socket>,
        dst: &mut Dst<'_>,
        at: usize,
        peek: bool,
    ) -> Result<Option<Received>, Errno> {
        if !socket.is_datagram() && socket.state.get() != State::Connected {
            return Err(if socket.is_stream() {
                Errno::EINVAL
            } else {
                Errno::ENOTCONN
            });
        }
        if socket.records.borrow().is_empty() {
            if socket.reset.replace(false) {
                return Err(Errno::ECONNRESET);
            }
            return Ok(socket.ended().then(Received::default));
        }
        let (len, creds, from) = {
            let mut records = socket.records.borrow_mut();
            let Some(front) = records.front_mut() else {
                return Ok(None);
            };
            (front.len, front.creds, front.from.clone())
        };
        let want = len.min(dst.len().saturating_sub(at));
        let moved = self.peek_ring(socket, dst, at, want)?;
        let mut got = Received {
            len: moved,
            full: len,
            from,
            creds,
            rights: Vec::new(),
        };
        let mut records = socket.records.borrow_mut();
        if let Some(front) = records.front_mut() {
            if peek {
                got.rights = front.rights.clone();
                return Ok(Some(got));
            }
            got.rights = core::mem::take(&mut front.rights);
            let gone = if socket.is_stream() { moved } else { len };
            front.len -= gone.min(front.len);
            socket.ring.popped(gone);
            if front.len == 0 {
                records.pop_front();
            }
        }
        drop(records);
        socket.queue.wake_for(PollFlags::WRITES);
        if let Some(peer) = socket.other() {
            peer.queue.wake_for(PollFlags::WRITES);
        }
        Ok(Some(got))
    }

    /// Copies the ring's first `len` bytes without taking them.
    fn peek_ring(
        &self,
        socket: &Socket,
        dst: &mut Dst<'_>,
        at: usize,
        len: usize,
    ) -> Result<usize, Errno> {
        let vmo = socket.ring.vmo.borrow().as_ref().map(|v| v.id());
        let Some(vmo) = vmo.filter(|_| len > 0) else {
            return Ok(0);
        };
        let (from, straight) = socket.ring.front();
        let first = dst.take_vmo(&self.mem, at, vmo, from as u64, straight.min(len))?;
        let mut moved = first;
        if first == straight && moved < len {
            moved += dst
                .take_vmo(&self.mem, at + moved, vmo, 0, len - moved)
                .unwrap_or(0);
        }
        Ok(moved)
    }

    pub(crate) fn write_socket(
        &mut self,
        thread: ThreadIdx,
        socket: &Rc<Socket>,
        src: Src<'_>,
    ) -> Result<Io, Errno> {
        let creds = self.sender(thread)?;
        self.deliver(socket, None, src, &mut Vec::new(), creds)
    }

    /// Sends bytes to the other end, or to `to`, with descriptors (which are taken if it succeeds). A message goes whole or
    /// not at all.
    pub(crate) fn deliver(
        &mut self,
        socket: &Rc<Socket>,
        to: Option<&Rc<Socket>>,
        src: Src<'_>,
        rights: &mut Vec<Rc<File>>,
        creds: PeerCreds,
    ) -> Result<Io, Errno> {
        if socket.write_shut.get() {
            return Err(Errno::EPIPE);
        }
        let peer = match to {
            Some(to) => Rc::clone(to),
            None => match (socket.state.get(), socket.other()) {
                (State::Connected, Some(peer)) => peer,
                (State::Connected, None) if socket.is_datagram() => {
                    return Err(Errno::ECONNREFUSED)
                }
                (State::Connected, None) => {
                    return Err(if socket.reset.replace(false) {
                        Errno::ECONNRESET
                    } else {
                        Errno::EPIPE
                    })
                }
                _ => return Err(Errno::ENOTCONN),
            },
        };
        if peer.read_shut.get() {
            return Err(Errno::EPIPE);
        }
        let len = src.len();
        if !socket.is_stream() && len > BUFFER {
            return Err(Errno::EMSGSIZE);
        }
        if socket.is_stream() && len == 0 {
            return Ok(Io::Done(0));
        }
        headroom()?;
        let room = peer.ring.room();
        let full = peer.records.borrow().len() >= MAX_RECORDS;
        if full || (socket.is_stream() && room == 0) || (!socket.is_stream() && room < len) {
            return Ok(Io::Wait);
        }
        let moved = match len {
            0 => 0,
            _ => self.ring_put(&peer.ring, src, &self.vfs.graveyard)?,
        };
        if !rights.is_empty() {
            self.vfs.in_flight.add(&peer);
        }
        let mut records = peer.records.borrow_mut();
        let joins = socket.is_stream() && rights.is_empty();
        match records.back_mut() {
            Some(last) if joins && last.creds == creds => last.len += moved,
            _ => records.push_back(Record {
                len: moved,
                rights: core::mem::take(rights),
                from: socket.name.borrow().clone(),
                creds,
            }),
        }
        drop(records);
        peer.queue.wake_for(PollFlags::READS);
        Ok(Io::Done(moved))
    }
}
