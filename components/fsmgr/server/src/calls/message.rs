//! Sending to and receiving from sockets, with addresses and descriptors.

use alloc::rc::Rc;
use alloc::vec::Vec;

use console_api::Console;
use fsmgr_api::Target;
use lsyscall_abi::consts::{IOV_MAX, MAX_RW_COUNT};
use lsyscall_abi::signal::SIGPIPE;
use lsyscall_abi::{Errno, MsgHdr, UserArray, UserPtr, UserSlice};
use lsyscall_router::{Caller, Done, SysResult};
use memmgr_api::{Memory, Space};

use super::rw::Pieces;
use crate::file::File;
use crate::heap::buffer;
use crate::io::{Dst, Io, Src};
use crate::park::Before;
use crate::unix::data::Received;
use crate::unix::message::{address, parse_control, Control, SCM_CREDENTIALS, SCM_RIGHTS};
use crate::unix::{PeerCreds, Socket, State, BUFFER};
use crate::FsMgr;

/// Flags of send(2) and recv(2).
mod flag {
    pub const OOB: u32 = 1;
    pub const PEEK: u32 = 2;
    pub const CTRUNC: u32 = 8;
    pub const TRUNC: u32 = 0x20;
    pub const DONTWAIT: u32 = 0x40;
    pub const WAITALL: u32 = 0x100;
    pub const NOSIGNAL: u32 = 0x4000;
    pub const CMSG_CLOEXEC: u32 = 0x4000_0000;
}

/// Control messages longer than this are refused.
const MAX_CONTROL: usize = 10_240;

/// What a send brings along.
struct Outgoing {
    to: Option<Rc<Socket>>,
    rights: Vec<Rc<File>>,
    creds: PeerCreds,
    flags: u32,
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    fn send_pieces(
        &mut self,
        c: &Caller,
        file: &Rc<File>,
        before: Before,
        pieces: &Pieces,
        out: Outgoing,
    ) -> SysResult {
        let socket = file.socket()?;
        if out.flags & flag::OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let all = pieces.total();
        if !socket.is_stream() && all > BUFFER {
            return Err(Errno::EMSGSIZE);
        }
        let mut done = usize::try_from(before.progress).unwrap_or(all).min(all);
        let mut rights = out.rights;
        loop {
            let room = socket.other().map_or(BUFFER, |p| p.ring.room().max(1));
            let part = if socket.is_stream() {
                (all - done).min(room)
            } else {
                all
            };
            let sent = match pieces.as_slice() {
                [one] => {
                    let src = Src::User(c.thread, one.addr, one.len).part(done, part);
                    self.deliver(socket, out.to.as_ref(), src, &mut rights, out.creds)
                }
                _ => match self.gather(c, pieces, done, part) {
                    Ok(data) => self.deliver(
                        socket,
                        out.to.as_ref(),
                        Src::Bytes(&data),
                        &mut rights,
                        out.creds,
                    ),
                    Err(e) => Err(e),
                },
            };
            match sent {
                Ok(Io::Done(n)) => {
                    done += n;
                    if done >= all || n == 0 || !socket.is_stream() {
                        return Ok(done).done();
                    }
                }
                Ok(_) if file.nonblocking() || out.flags & flag::DONTWAIT != 0 => {
                    return if done > 0 {
                        Ok(done).done()
                    } else {
                        Err(Errno::EAGAIN)
                    };
                }
                Ok(_) => {
                    let target = out.to.clone().or_else(|| socket.other());
                    let target = target.unwrap_or_else(|| Rc::clone(socket));
                    let timeout = socket.send_timeout.get();
                    return self.park_socket(c, file, &target.queue, before, done, timeout);
                }
                Err(_) if done > 0 => return Ok(done).done(),
                Err(e) => {
                    let quiet = out.flags & flag::NOSIGNAL != 0 || !socket.is_stream();
                    if e == Errno::EPIPE && !quiet {
                        self.send(Target::Thread(c.thread), SIGPIPE);
                    }
                    return Err(e);
                }
            }
        }
    }

    /// `len` bytes of several pieces, from `from` on.
    fn gather(
        &self,
        c: &Caller,
        pieces: &Pieces,
        from: usize,
        len: usize,
    ) -> Result<Vec<u8>, Errno> {
        let mut data = buffer(len)?;
        let (mut skip, mut filled) = (from, 0);
        for piece in pieces.as_slice() {
            let off = skip.min(piece.len);
            skip -= off;
            let take = (piece.len - off).min(len - filled);
            let addr = piece.addr.wrapping_add(off as u64);
            let part = data.get_mut(filled..filled + take).unwrap_or_default();
            self.mem.copy_in(Space::Thread(c.thread), addr, part)?;
            filled += take;
        }
        Ok(data)
    }

    /// Where a send goes that names an address.
    fn destination(
        &self,
        c: &Caller,
        socket: &Socket,
        addr: UserSlice,
    ) -> Result<Option<Rc<Socket>>, Errno> {
        if addr.addr == 0 || addr.len == 0 {
            return Ok(None);
        }
        if !socket.is_datagram() {
            return Err(if socket.state.get() == State::Connected {
                Errno::EISCONN
            } else {
                Errno::EOPNOTSUPP
            });
        }
        let name = self.user_address(c, addr)?;
        let target = self.find_socket(c, name)?;
        if target.kind != socket.kind {
            return Err(Errno::EPROTOTYPE);
        }
        Ok(Some(target))
    }

    pub(crate) fn sendto_call(
        &mut self,
        c: &Caller,
        fd: i32,
        buf: UserSlice,
        flags: u32,
        addr: UserSlice,
    ) -> SysResult {
        let (file, before) = self.blocking_file(c, fd)?;
        let to = self.destination(c, file.socket()?, addr)?;
        let out = Outgoing {
            to,
            rights: Vec::new(),
            creds: self.sender(c.thread)?,
            flags,
        };
        self.send_pieces(c, &file, before, &Self::one(buf)?, out)
    }

    pub(crate) fn sendmsg_call(
        &mut self,
        c: &Caller,
        fd: i32,
        msg: UserPtr<MsgHdr>,
        flags: u32,
    ) -> SysResult {
        let (file, before) = self.blocking_file(c, fd)?;
        let socket = file.socket()?;
        let head: MsgHdr = self.copy_in(c, msg.addr())?;
        let name_len = usize::try_from(head.namelen).map_err(|_| Errno::EINVAL)?;
        let to = self.destination(c, socket, UserSlice::new(head.name, name_len))?;
        let pieces = self.message_pieces(c, &head)?;
        let mut rights = Vec::new();
        let mut creds = self.sender(c.thread)?;
        let len = usize::try_from(head.controllen).unwrap_or(usize::MAX);
        // What travels with the first byte went with it, if the call has waited since.
        if head.control != 0 && len > 0 && before.progress == 0 {
            if len > MAX_CONTROL {
                return Err(Errno::ENOBUFS);
            }
            let mut raw = buffer(len)?;
            self.mem
                .copy_in(Space::Thread(c.thread), head.control, &mut raw)?;
            let said = parse_control(&raw)?;
            for fd in said.fds {
                rights.push(self.file(c, fd)?);
            }
            if let Some(said) = said.creds {
                creds = self.claimed(c, said)?;
            }
        }
        let out = Outgoing {
            to,
            rights,
            creds,
            flags,
        };
        self.send_pieces(c, &file, before, &pieces, out)
    }

    fn message_pieces(&self, c: &Caller, head: &MsgHdr) -> Result<Pieces, Errno> {
        if head.iovlen > IOV_MAX as u64 {
            return Err(Errno::EMSGSIZE);
        }
        self.pieces(c, UserArray::new(head.iov, head.iovlen as usize))
    }

    /// Receives into pieces: what came, or `None` when the caller was parked (and the flow says so).
    fn receive_pieces(
        &mut self,
        c: &Caller,
        file: &Rc<File>,
        before: Before,
        pieces: &Pieces,
        flags: u32,
    ) -> Result<Result<Received, SysResult>, Errno> {
        let socket = file.socket()?;
        if flags & flag::OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let peek = flags & flag::PEEK != 0;
        let single = match pieces.as_slice() {
            [one] => Some(*one),
            _ => None,
        };
        let waits_for_all = flags & flag::WAITALL != 0 && socket.is_stream() && !peek;
        let mut done = 0;
        let got = if let Some(one) = single {
            let len = one.len.min(MAX_RW_COUNT);
            let mut dst = Dst::User(c.thread, one.addr, len);
            done = usize::try_from(before.progress).unwrap_or(len).min(len);
            let mut got = self.receive(socket, &mut dst, done, peek);
            if waits_for_all {
                while let Ok(Some(part)) = &got {
                    done += part.len;
                    if part.len == 0 || done >= len || !part.rights.is_empty() {
                        return Ok(Ok(Received {
                            len: done,
                            full: done,
                            ..got?.unwrap_or_default()
                        }));
                    }
                    got = self.receive(socket, &mut dst, done, peek);
                }
            }
            got
        } else {
            let mut data = buffer(pieces.total().min(BUFFER))?;
            let got = self.receive(socket, &mut Dst::Bytes(&mut data), 0, peek);
            if let Ok(Some(part)) = &got {
                self.scatter(c, pieces, data.get(..part.len).unwrap_or_default())?;
            }
            got
        };
        match got {
            Ok(Some(got)) => Ok(Ok(got)),
            Ok(None) if file.nonblocking() || flags & flag::DONTWAIT != 0 => {
                if done > 0 {
                    return Ok(Ok(Received {
                        len: done,
                        full: done,
                        ..Received::default()
                    }));
                }
                Err(Errno::EAGAIN)
            }
            Ok(None) => {
                let timeout = socket.receive_timeout.get();
                Ok(Err(self.park_socket(
                    c,
                    file,
                    &socket.queue,
                    before,
                    done,
                    timeout,
                )))
            }
            Err(_) if done > 0 => Ok(Ok(Received {
                len: done,
                full: done,
                ..Received::default()
            })),
            Err(e) => Err(e),
        }
    }

    fn scatter(&self, c: &Caller, pieces: &Pieces, data: &[u8]) -> Result<(), Errno> {
        let mut rest = data;
        for piece in pieces.as_slice() {
            let (part, behind) = rest.split_at(piece.len.min(rest.len()));
            self.mem
                .copy_out(Space::Thread(c.thread), piece.addr, part)?;
            rest = behind;
        }
        Ok(())
    }

    /// What a receive returns: the bytes moved, or the message's length with MSG_TRUNC.
    fn received(socket: &Socket, got: &Received, flags: u32) -> usize {
        if flags & flag::TRUNC != 0 && !socket.is_stream() {
            got.full
        } else {
            got.len
        }
    }

    pub(crate) fn recvfrom_call(
        &mut self,
        c: &Caller,
        fd: i32,
        buf: UserSlice,
        flags: u32,
        addr: u64,
        len: UserPtr<u32>,
    ) -> SysResult {
        let (file, before) = self.blocking_file(c, fd)?;
        let got = match self.receive_pieces(c, &file, before, &Self::one(buf)?, flags)? {
            Ok(got) => got,
            Err(flow) => return flow,
        };
        let socket = file.socket()?;
        if socket.is_datagram() {
            self.tell_address(c, &got.from, addr, len)?;
        } else if addr != 0 {
            self.copy_out(c, len.addr(), &0u32)?;
        }
        Ok(Self::received(socket, &got, flags)).done()
    }

    pub(crate) fn recvmsg_call(
        &mut self,
        c: &Caller,
        fd: i32,
        msg: UserPtr<MsgHdr>,
        flags: u32,
    ) -> SysResult {
        let (file, before) = self.blocking_file(c, fd)?;
        let socket = file.socket()?;
        let mut head: MsgHdr = self.copy_in(c, msg.addr())?;
        let pieces = self.message_pieces(c, &head)?;
        let got = match self.receive_pieces(c, &file, before, &pieces, flags)? {
            Ok(got) => got,
            Err(flow) => return flow,
        };
        let room = match head.control {
            0 => 0,
            _ => usize::try_from(head.controllen)
                .unwrap_or(0)
                .min(MAX_CONTROL),
        };
        let mut control = Control::default();
        if socket.pass_creds.get() {
            control.push(room, SCM_CREDENTIALS, &got.creds.to_bytes());
        }
        if !got.rights.is_empty() {
            self.take_rights(c, &got.rights, room, flags, &mut control)?;
        }
        let space = Space::Thread(c.thread);
        self.mem.copy_out(space, head.control, &control.bytes)?;
        head.controllen = control.bytes.len() as u64;
        head.flags = flags & flag::CMSG_CLOEXEC;
        if control.truncated {
            head.flags |= flag::CTRUNC;
        }
        if got.full > got.len && !socket.is_stream() {
            head.flags |= flag::TRUNC;
        }
        if head.name != 0 {
            let name = if socket.is_datagram() {
                address(&got.from)
            } else {
                Vec::new()
            };
            let room = usize::try_from(head.namelen).map_err(|_| Errno::EINVAL)?;
            let part = name.get(..room.min(name.len())).unwrap_or_default();
            self.mem.copy_out(space, head.name, part)?;
            head.namelen = name.len() as i32;
        }
        self.copy_out(c, msg.addr(), &head)?;
        Ok(Self::received(socket, &got, flags)).done()
    }

    /// Gives the program the descriptors that came, as far as there is room for their numbers.
    fn take_rights(
        &mut self,
        c: &Caller,
        rights: &[Rc<File>],
        room: usize,
        flags: u32,
        control: &mut Control,
    ) -> Result<(), Errno> {
        let mut numbers = Vec::new();
        let fits = control.rights_room(room);
        for file in rights.iter().take(fits) {
            let cloexec = flags & flag::CMSG_CLOEXEC != 0;
            match self.install(c, Rc::clone(file), cloexec) {
                Ok(fd) => numbers.extend_from_slice(&fd.to_le_bytes()),
                Err(_) => break,
            }
        }
        control.truncated |= numbers.len() < rights.len() * 4;
        if !numbers.is_empty() {
            control.push(room, SCM_RIGHTS, &numbers);
        }
        Ok(())
    }
}
