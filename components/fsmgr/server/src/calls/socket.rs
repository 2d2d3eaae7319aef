//! Sockets: making, naming, connecting them (unix(7)). Bytes are in `calls/message.rs`.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt::Write;

use console_api::Console;
use lsyscall_abi::consts::cap::{CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN};
use lsyscall_abi::consts::socket_domain::AF_UNIX;
use lsyscall_abi::consts::socket_type::{SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM};
use lsyscall_abi::consts::{SOCK_CLOEXEC, SOCK_NONBLOCK};
use lsyscall_abi::{Errno, FdPair, OpenFlags, ThreadIdx, Timeval, UserPtr, UserSlice};
use lsyscall_router::{Caller, Done, SysResult, OK};
use memmgr_api::{Memory, Space};

use crate::file::{File, Object};
use crate::heap::buffer;
use crate::inode::Kind;
use crate::park::{Before, Wait};
use crate::perm;
use crate::text::Text;
use crate::unix::message::{address, parse_address, SOL_SOCKET};
use crate::unix::{PeerCreds, Socket, State, BUFFER, MAX_BACKLOG};
use crate::wait::WaitQueue;
use crate::FsMgr;

/// Bytes of a struct sockaddr_un.
const ADDRESS: usize = 110;
/// Bytes of the largest socket address of any family.
const ANY_ADDRESS: usize = 128;

mod option {
    pub const REUSEADDR: i32 = 2;
    pub const TYPE: i32 = 3;
    pub const ERROR: i32 = 4;
    pub const BROADCAST: i32 = 6;
    pub const SNDBUF: i32 = 7;
    pub const RCVBUF: i32 = 8;
    pub const KEEPALIVE: i32 = 9;
    pub const PRIORITY: i32 = 12;
    pub const LINGER: i32 = 13;
    pub const REUSEPORT: i32 = 15;
    pub const PASSCRED: i32 = 16;
    pub const PEERCRED: i32 = 17;
    pub const RCVTIMEO: i32 = 20;
    pub const SNDTIMEO: i32 = 21;
    pub const ACCEPTCONN: i32 = 30;
    pub const SNDBUFFORCE: i32 = 32;
    pub const RCVBUFFORCE: i32 = 33;
    pub const PROTOCOL: i32 = 38;
    pub const DOMAIN: i32 = 39;
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    pub(crate) fn peer_creds(&self, c: &Caller) -> Result<PeerCreds, Errno> {
        let creds = &self.thread(c)?.creds;
        let pid = self.tasks.table.process_of(c.thread).map_or(0, |p| p.pid);
        Ok(PeerCreds {
            pid: pid as i32,
            uid: creds.uid,
            gid: creds.gid,
        })
    }

    /// Who sends: the caller's process and its real ids.
    pub(crate) fn sender(&self, thread: ThreadIdx) -> Result<PeerCreds, Errno> {
        let creds = &self.tasks.get(thread)?.creds;
        let pid = self.tasks.table.process_of(thread).map_or(0, |p| p.pid);
        Ok(PeerCreds {
            pid: pid as i32,
            uid: creds.real_uid,
            gid: creds.real_gid,
        })
    }

    /// Whether the caller may say that it is this process, user and group (SCM_CREDENTIALS, unix(7)). `EPERM`.
    pub(crate) fn claimed(&self, c: &Caller, said: [u32; 3]) -> Result<PeerCreds, Errno> {
        let creds = &self.thread(c)?.creds;
        let own = self.tasks.table.process_of(c.thread);
        let [pid, uid, gid] = said;
        let is_pid = own.as_ref().is_some_and(|p| p.pid == pid);
        let is_uid = own
            .as_ref()
            .is_some_and(|p| p.uids.iter().take(3).any(|u| *u == uid));
        let is_gid = own
            .as_ref()
            .is_some_and(|p| p.gids.iter().take(3).any(|g| *g == gid));
        if (is_pid || perm::capable(creds, CAP_SYS_ADMIN))
            && (is_uid || perm::capable(creds, CAP_SETUID))
            && (is_gid || perm::capable(creds, CAP_SETGID))
        {
            // A process that does not exist cannot be claimed even by root.
            if !is_pid && self.tasks.table.find(pid).is_none() {
                return Err(Errno::ESRCH);
            }
            Ok(PeerCreds {
                pid: pid as i32,
                uid,
                gid,
            })
        } else {
            Err(Errno::EPERM)
        }
    }

    /// Parks a call on a socket until `queue` wakes or its time is over. A call that has a time is not started again by a
    /// signal.
    pub(crate) fn park_socket(
        &mut self,
        c: &Caller,
        file: &Rc<File>,
        queue: &WaitQueue,
        before: Before,
        progress: usize,
        timeout: Option<u64>,
    ) -> SysResult {
        let after = || timeout.map(|ns| self.now().saturating_add(ns));
        let deadline = before.deadline.or_else(after);
        if deadline.is_some_and(|d| d <= self.now()) {
            return match progress {
                0 => Err(Errno::EAGAIN),
                done => Ok(done).done(),
            };
        }
        let wait = Wait {
            file: Some(Rc::clone(file)),
            progress: progress as u64,
            deadline,
            restart: timeout.map(|_| Errno::EINTR),
            ..Wait::default()
        };
        self.park(c, queue, wait)
    }

    /// A socket of a type with the flags that come in the type argument.
    fn make_socket(
        &mut self,
        c: &Caller,
        domain: u32,
        kind: u32,
        protocol: i32,
    ) -> Result<Rc<Socket>, Errno> {
        if kind & !(0xf | SOCK_NONBLOCK | SOCK_CLOEXEC) != 0 {
            return Err(Errno::EINVAL);
        }
        if domain != AF_UNIX {
            return Err(Errno::EAFNOSUPPORT);
        }
        if protocol != 0 && protocol != AF_UNIX as i32 {
            return Err(Errno::EPROTONOSUPPORT);
        }
        let kind = match kind & 0xf {
            SOCK_RAW => SOCK_DGRAM,
            kind @ (SOCK_STREAM | SOCK_DGRAM | SOCK_SEQPACKET) => kind,
            _ => return Err(Errno::ESOCKTNOSUPPORT),
        };
        let creds = self.peer_creds(c)?;
        Ok(Socket::new(&self.vfs.run, kind, creds))
    }

    /// A description of a socket.
    fn open_socket(
        &mut self,
        c: &Caller,
        socket: Rc<Socket>,
        kind: u32,
    ) -> Result<Rc<File>, Errno> {
        let mut flags = OpenFlags::RDWR;
        flags.set(OpenFlags::NONBLOCK, kind & SOCK_NONBLOCK != 0);
        let creds = self.creds(c)?;
        let place = self
            .vfs
            .new_socket(&creds, self.time(), &socket)
            .map_err(|_| Errno::ENFILE)?;
        self.vfs.open(Object::Socket(socket), place, flags)
    }

    pub(crate) fn socket_call(
        &mut self,
        c: &Caller,
        domain: u32,
        kind: u32,
        protocol: i32,
    ) -> SysResult {
        let socket = self.make_socket(c, domain, kind, protocol)?;
        let file = self.open_socket(c, socket, kind)?;
        self.install(c, file, kind & SOCK_CLOEXEC != 0).done()
    }

    pub(crate) fn socketpair_call(
        &mut self,
        c: &Caller,
        domain: u32,
        kind: u32,
        protocol: i32,
        out: UserPtr<FdPair>,
    ) -> SysResult {
        let first = self.make_socket(c, domain, kind, protocol)?;
        let second = self.make_socket(c, domain, kind, protocol)?;
        Socket::pair(&first, &second);
        let first = self.open_socket(c, first, kind)?;
        let second = self.open_socket(c, second, kind)?;
        self.install_pair(c, first, second, kind & SOCK_CLOEXEC != 0, out)
    }

    /// The name in a program's socket address. `EINVAL`, `EFAULT`.
    pub(crate) fn user_address(&self, c: &Caller, addr: UserSlice) -> Result<Vec<u8>, Errno> {
        if addr.len > ANY_ADDRESS {
            return Err(Errno::EINVAL);
        }
        let mut raw = buffer(addr.len)?;
        self.mem
            .copy_in(Space::Thread(c.thread), addr.addr, &mut raw)?;
        if raw.len() > ADDRESS {
            return Err(Errno::EINVAL);
        }
        parse_address(&raw)
    }

    /// Tells a program a socket address, as much of it as it has room for.
    pub(crate) fn tell_address(
        &self,
        c: &Caller,
        name: &[u8],
        addr: u64,
        len: UserPtr<u32>,
    ) -> Result<(), Errno> {
        if addr == 0 {
            return Ok(());
        }
        let room: i32 = self.copy_in(c, len.addr())?;
        let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
        let full = address(name);
        let part = full.get(..room.min(full.len())).unwrap_or_default();
        self.mem.copy_out(Space::Thread(c.thread), addr, part)?;
        self.copy_out(c, len.addr(), &(full.len() as u32))
    }

    pub(crate) fn bind_call(&mut self, c: &Caller, fd: i32, addr: UserSlice) -> SysResult {
        let file = self.file(c, fd)?;
        let socket = file.socket()?;
        let mut name = self.user_address(c, addr)?;
        if !socket.name.borrow().is_empty() {
            return Err(Errno::EINVAL);
        }
        if name.is_empty() {
            name = self.unused_name()?;
        }
        if name.first() == Some(&0) {
            if self.vfs.names.get(&name).is_some() {
                return Err(Errno::EADDRINUSE);
            }
            self.vfs.names.add(&name, socket);
        } else {
            let place = self.socket_name(c, name.clone())?;
            if let Kind::Socket(slot) = &place.inode().kind {
                slot.replace(Rc::downgrade(socket));
            }
        }
        socket.name.replace(name);
        OK
    }

    /// An abstract name nobody has, as Linux's autobind chooses it: five hexadecimal digits.
    fn unused_name(&mut self) -> Result<Vec<u8>, Errno> {
        for _ in 0..1000 {
            let mut raw = [0; 4];
            self.random.fill(&mut raw);
            let mut name = Text::default();
            name.bytes(&[0]);
            let _ = write!(name, "{:05x}", u32::from_le_bytes(raw) & 0xf_ffff);
            if self.vfs.names.get(&name.0).is_none() {
                return Ok(name.0);
            }
        }
        Err(Errno::ENOSPC)
    }

    /// The socket of a name. `ECONNREFUSED`, and what path resolution says.
    pub(crate) fn find_socket(&self, c: &Caller, name: Vec<u8>) -> Result<Rc<Socket>, Errno> {
        if name.is_empty() {
            return Err(Errno::EINVAL);
        }
        if name.first() == Some(&0) {
            return self.vfs.names.get(&name).ok_or(Errno::ECONNREFUSED);
        }
        let place = self.lookup(c, lsyscall_abi::Fd::CWD.0, name, true)?;
        perm::may_at(&place, &self.thread(c)?.creds, perm::WRITE)?;
        let Kind::Socket(slot) = &place.inode().kind else {
            return Err(Errno::ECONNREFUSED);
        };
        let socket = slot.borrow().upgrade();
        socket.ok_or(Errno::ECONNREFUSED)
    }

    pub(crate) fn listen_call(&mut self, c: &Caller, fd: i32, backlog: i32) -> SysResult {
        let file = self.file(c, fd)?;
        let socket = file.socket()?;
        if socket.is_datagram() {
            return Err(Errno::EOPNOTSUPP);
        }
        if socket.name.borrow().is_empty() || socket.state.get() == State::Connected {
            return Err(Errno::EINVAL);
        }
        let most = usize::try_from(backlog).unwrap_or(MAX_BACKLOG);
        // As on Linux, one more than asked for may wait.
        socket.backlog_max.set(most.min(MAX_BACKLOG) + 1);
        socket.creds.set(self.peer_creds(c)?);
        socket.state.set(State::Listening);
        socket.queue.wake();
        OK
    }

    pub(crate) fn connect_call(&mut self, c: &Caller, fd: i32, addr: UserSlice) -> SysResult {
        let (file, before) = self.blocking_file(c, fd)?;
        let socket = file.socket()?;
        if socket.is_datagram() && addr.len >= 2 {
            // AF_UNSPEC: no destination any more.
            let family: u16 = self.copy_in(c, addr.addr)?;
            if family == 0 {
                socket.peer.replace(alloc::rc::Weak::new());
                socket.peer_name.replace(Vec::new());
                socket.state.set(State::Idle);
                return OK;
            }
        }
        let name = self.user_address(c, addr)?;
        let target = self.find_socket(c, name.clone())?;
        if target.kind != socket.kind {
            return Err(Errno::EPROTOTYPE);
        }
        if socket.is_datagram() {
            let other = target.other();
            if other.is_some_and(|other| !Rc::ptr_eq(&other, socket)) {
                return Err(Errno::EPERM);
            }
            socket.peer.replace(Rc::downgrade(&target));
            socket.peer_name.replace(name);
            socket.peer_creds.set(target.creds.get());
            socket.state.set(State::Connected);
            socket.queue.wake();
            return OK;
        }
        match socket.state.get() {
            State::Idle => {}
            State::Connected => return Err(Errno::EISCONN),
            State::Listening => return Err(Errno::EINVAL),
        }
        if target.state.get() != State::Listening {
            return Err(Errno::ECONNREFUSED);
        }
        if target.backlog.borrow().len() >= target.backlog_max.get() {
            if file.nonblocking() {
                return Err(Errno::EAGAIN);
            }
            let timeout = socket.send_timeout.get();
            return self.park_socket(c, &file, &target.queue, before, 0, timeout);
        }
        socket.creds.set(self.peer_creds(c)?);
        let server = Socket::new(&self.vfs.run, socket.kind, target.creds.get());
        server.name.replace(target.name.borrow().clone());
        Socket::pair(socket, &server);
        target.backlog.borrow_mut().push_back(server);
        target.queue.wake();
        socket.queue.wake();
        OK
    }

    pub(crate) fn accept_call(
        &mut self,
        c: &Caller,
        fd: i32,
        addr: u64,
        len: UserPtr<u32>,
        kind: u32,
    ) -> SysResult {
        if kind & !(SOCK_NONBLOCK | SOCK_CLOEXEC) != 0 {
            return Err(Errno::EINVAL);
        }
        let (file, before) = self.blocking_file(c, fd)?;
        let socket = file.socket()?;
        if socket.is_datagram() {
            return Err(Errno::EOPNOTSUPP);
        }
        if socket.state.get() != State::Listening {
            return Err(Errno::EINVAL);
        }
        self.thread(c)?.files.borrow().check_room(1)?;
        let next = socket.backlog.borrow_mut().pop_front();
        let Some(new) = next else {
            if file.nonblocking() {
                return Err(Errno::EAGAIN);
            }
            let timeout = socket.receive_timeout.get();
            return self.park_socket(c, &file, &socket.queue, before, 0, timeout);
        };
        socket.queue.wake();
        let name = new.peer_name.borrow().clone();
        let opened = self.open_socket(c, Rc::clone(&new), kind);
        let opened = opened.inspect_err(|_| new.close())?;
        self.tell_address(c, &name, addr, len)?;
        self.install(c, opened, kind & SOCK_CLOEXEC != 0).done()
    }

    pub(crate) fn name_call(
        &mut self,
        c: &Caller,
        fd: i32,
        addr: u64,
        len: UserPtr<u32>,
        peer: bool,
    ) -> SysResult {
        let file = self.file(c, fd)?;
        let socket = file.socket()?;
        if peer && socket.state.get() != State::Connected {
            return Err(Errno::ENOTCONN);
        }
        let name = if peer {
            socket.peer_name.borrow().clone()
        } else {
            socket.name.borrow().clone()
        };
        if addr == 0 {
            return Err(Errno::EFAULT);
        }
        self.tell_address(c, &name, addr, len)?;
        OK
    }

    pub(crate) fn shutdown_call(&mut self, c: &Caller, fd: i32, how: i32) -> SysResult {
        let file = self.file(c, fd)?;
        let socket = file.socket()?;
        let (reads, writes) = match how {
            0 => (true, false),
            1 => (false, true),
            2 => (true, true),
            _ => return Err(Errno::EINVAL),
        };
        if socket.state.get() != State::Connected && !socket.is_datagram() {
            return Err(Errno::ENOTCONN);
        }
        socket.shut(reads, writes);
        OK
    }

    pub(crate) fn setsockopt_call(
        &mut self,
        c: &Caller,
        fd: i32,
        level: i32,
        name: i32,
        value: UserSlice,
    ) -> SysResult {
        let file = self.file(c, fd)?;
        let socket = file.socket()?;
        if level != SOL_SOCKET {
            return Err(Errno::ENOPROTOOPT);
        }
        if value.len < 4 {
            return Err(Errno::EINVAL);
        }
        if matches!(name, option::RCVTIMEO | option::SNDTIMEO) {
            let slot = match name {
                option::RCVTIMEO => &socket.receive_timeout,
                _ => &socket.send_timeout,
            };
            slot.set(self.socket_timeout(c, value)?);
            return OK;
        }
        let on: i32 = self.copy_in(c, value.addr)?;
        match name {
            option::PASSCRED => socket.pass_creds.set(on != 0),
            // Without meaning for local sockets, or a wish about sizes that are fixed.
            option::REUSEADDR
            | option::BROADCAST
            | option::SNDBUF
            | option::RCVBUF
            | option::KEEPALIVE
            | option::PRIORITY
            | option::LINGER
            | option::REUSEPORT
            | option::SNDBUFFORCE
            | option::RCVBUFFORCE => {}
            _ => return Err(Errno::ENOPROTOOPT),
        }
        OK
    }

    /// A struct timeval as SO_RCVTIMEO takes it: 0 is for ever, a time before now is none. `EINVAL`, `EDOM`.
    fn socket_timeout(&self, c: &Caller, value: UserSlice) -> Result<Option<u64>, Errno> {
        if value.len < core::mem::size_of::<Timeval>() {
            return Err(Errno::EINVAL);
        }
        let time: Timeval = self.copy_in(c, value.addr)?;
        if !(0..1_000_000).contains(&time.usec) {
            return Err(Errno::EDOM);
        }
        let Ok(sec) = u64::try_from(time.sec) else {
            return Ok(Some(0));
        };
        let ns = sec
            .saturating_mul(1_000_000_000)
            .saturating_add(time.usec as u64 * 1000);
        Ok(Some(ns).filter(|ns| *ns > 0))
    }

    pub(crate) fn getsockopt_call(
        &mut self,
        c: &Caller,
        fd: i32,
        level: i32,
        name: i32,
        value: u64,
        len: UserPtr<u32>,
    ) -> SysResult {
        let file = self.file(c, fd)?;
        let socket = file.socket()?;
        if level != SOL_SOCKET {
            return Err(Errno::EOPNOTSUPP);
        }
        let number = |n: i32| n.to_le_bytes().to_vec();
        let answer = match name {
            option::TYPE => number(socket.kind as i32),
            option::DOMAIN => number(AF_UNIX as i32),
            option::SNDBUF | option::RCVBUF => number(BUFFER as i32),
            option::ACCEPTCONN => number((socket.state.get() == State::Listening).into()),
            option::PASSCRED => number(socket.pass_creds.get().into()),
            option::ERROR => {
                let reset = socket.reset.replace(false);
                number(if reset { Errno::ECONNRESET.raw() } else { 0 })
            }
            option::PROTOCOL
            | option::REUSEADDR
            | option::BROADCAST
            | option::KEEPALIVE
            | option::PRIORITY
            | option::REUSEPORT => number(0),
            option::LINGER => alloc::vec![0; 8],
            option::RCVTIMEO | option::SNDTIMEO => {
                let slot = match name {
                    option::RCVTIMEO => &socket.receive_timeout,
                    _ => &socket.send_timeout,
                };
                let ns = slot.get().unwrap_or(0);
                let mut out = (ns / 1_000_000_000).to_le_bytes().to_vec();
                out.extend_from_slice(&(ns % 1_000_000_000 / 1000).to_le_bytes());
                out
            }
            option::PEERCRED => {
                let creds = match socket.state.get() {
                    State::Connected => socket.peer_creds.get(),
                    _ => PeerCreds {
                        pid: 0,
                        uid: u32::MAX,
                        gid: u32::MAX,
                    },
                };
                creds.to_bytes().to_vec()
            }
            _ => return Err(Errno::ENOPROTOOPT),
        };
        let room: i32 = self.copy_in(c, len.addr())?;
        let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
        let part = answer.get(..room.min(answer.len())).unwrap_or_default();
        self.mem.copy_out(Space::Thread(c.thread), value, part)?;
        self.copy_out(c, len.addr(), &(part.len() as u32))?;
        OK
    }
}
