//! socket(2) and socketpair(2).

use alloc::rc::Rc;

use console_api::Console;
use lsyscall_abi::consts::socket_domain::AF_UNIX;
use lsyscall_abi::consts::socket_type::{SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM};
use lsyscall_abi::consts::{SOCK_CLOEXEC, SOCK_NONBLOCK};
use lsyscall_abi::{Errno, FdPair, OpenFlags, UserPtr};
use lsyscall_router::{Caller, Done, SysResult};
use memmgr_api::Memory;

use crate::file::{File, Object};
use crate::unix::{PeerCreds, Socket};
use crate::FsMgr;

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

    /// A socket of a type with the flags that come in the type argument.
    pub(crate) fn make_socket(
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
    pub(crate) fn open_socket(
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
}
