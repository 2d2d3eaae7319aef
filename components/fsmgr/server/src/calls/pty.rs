//! Pseudo-terminals at work: /dev/ptmx, /dev/pts, the master's reads, writes and ioctls, and its end.

use alloc::rc::Rc;

use console_api::Console;
use fsmgr_api::{Creds, Target};
use lsyscall_abi::consts::ioctl::*;
use lsyscall_abi::consts::mode::S_IFCHR;
use lsyscall_abi::signal::{SIGCONT, SIGHUP};
use lsyscall_abi::{Errno, MountFlags, OpenFlags};
use lsyscall_router::{Caller, Done, SysResult, OK};
use memmgr_api::Memory;

use crate::file::{File, Object};
use crate::heap::{buffer, headroom};
use crate::inode::FsKind;
use crate::io::{Dst, Io, Src};
use crate::mount::Path;
use crate::pty::Master;
use crate::text::number;
use crate::tty::Tty;
use crate::FsMgr;

/// Most one read of a master gives.
const READ_MAX: usize = 4096;
/// Group of terminals on Debian.
const TTY_GROUP: u32 = 5;
/// Permissions of a slave on Debian.
const SLAVE_MODE: u32 = 0o620;

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// Makes the file system of slaves and mounts it.
    pub(crate) fn mount_pts(&mut self, at: Path) -> Result<(), Errno> {
        let (sb, root) = self.vfs.file_system(FsKind::Devpts, 0o755, self.time())?;
        let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
        let mount = self.vfs.mounts.detached(&sb, root, flags, b"devpts");
        self.vfs.mounts.attach(&mount, Some(at))?;
        let top = Path {
            dentry: Rc::clone(&mount.root),
            mount,
        };
        let mode = S_IFCHR | 0o666;
        let time = self.time();
        let ptmx = crate::root::PTMX_DEV;
        self.vfs
            .create(&top, b"ptmx", &Creds::ROOT, mode, ptmx, time)?;
        self.pts = Some(top);
        Ok(())
    }

    /// Opens a new pair: its master.
    pub(crate) fn open_master(&mut self, c: &Caller) -> Result<Object, Errno> {
        let top = self.pts.clone().ok_or(Errno::EIO)?;
        headroom()?;
        let tty = self.pairs.make(&self.vfs.run)?;
        let Some(master) = &tty.master else {
            return Err(Errno::EIO);
        };
        let mut name = alloc::vec::Vec::new();
        number(&mut name, master.index.into());
        let (time, creds) = (self.time(), self.creds(c)?);
        let mode = S_IFCHR | SLAVE_MODE;
        let made = self
            .vfs
            .create(&top, &name, &Creds::ROOT, mode, tty.rdev, time);
        let made = made.inspect_err(|_| self.drop_pair(&tty))?;
        made.inode().uid.set(creds.uid);
        made.inode().gid.set(TTY_GROUP);
        Ok(Object::Master(tty))
    }

    fn drop_pair(&self, tty: &Rc<Tty>) {
        if let Some(master) = &tty.master {
            master.close(tty);
            while self.pairs.next_gone().is_some() {}
        }
    }

    /// The terminal of a slave's device number. `EIO` while it is locked, or when the master has gone.
    pub(crate) fn slave(&self, index: u32) -> Result<Object, Errno> {
        let tty = self.pairs.get(index).ok_or(Errno::EIO)?;
        let shut = tty.line.borrow().is_hung_up();
        if shut || tty.master.as_ref().is_none_or(|m| m.locked.get()) {
            return Err(Errno::EIO);
        }
        Ok(Object::Tty(tty))
    }

    /// The terminal of a session.
    pub(crate) fn terminal_of(&self, sid: u32) -> Option<Rc<Tty>> {
        let sid = i32::try_from(sid).ok().filter(|s| *s > 0)?;
        if self.tty.line.borrow().session() == sid {
            return Some(Rc::clone(&self.tty));
        }
        self.pairs.of_session(sid)
    }

    /// Sees to pairs whose master was closed: the session loses its terminal, the name goes.
    pub(crate) fn bury_pairs(&mut self) {
        while let Some(tty) = self.pairs.next_gone() {
            let session = tty.line.borrow().session();
            if session > 0 {
                self.send(Target::Process(session), SIGHUP);
                self.send(Target::Process(session), SIGCONT);
            }
            {
                let mut line = tty.line.borrow_mut();
                line.set_session(0);
                line.set_foreground(0);
            }
            let (Some(top), Some(master)) = (self.pts.clone(), &tty.master) else {
                continue;
            };
            let mut name = alloc::vec::Vec::new();
            number(&mut name, master.index.into());
            let found = top.inode().dir().and_then(|d| d.borrow().get(&name));
            if let Some(dentry) = found {
                let victim = top.with(dentry);
                let time = self.time();
                let _ = self.vfs.unlink(&top, &victim, &Creds::ROOT, false, time);
            }
        }
    }

    pub(crate) fn read_master(
        &mut self,
        tty: &Rc<Tty>,
        master: &Master,
        dst: &mut Dst<'_>,
    ) -> Result<Io, Errno> {
        let packets = master.packets.get();
        if dst.len() == 0 {
            return Ok(Io::Done(0));
        }
        if packets {
            let status = master.status.take();
            if status != 0 {
                return dst.take_bytes(&self.mem, 0, &[status]).map(Io::Done);
            }
        }
        let head = usize::from(packets);
        let mut buf = buffer(dst.len().min(READ_MAX))?;
        let n = {
            let room = buf.get_mut(head..).unwrap_or_default();
            tty.line.borrow_mut().take_output(room)
        };
        if n == 0 {
            return if master.is_abandoned() {
                Err(Errno::EIO)
            } else {
                Ok(Io::Wait)
            };
        }
        tty.queue.wake();
        let got = buf.get(..head + n).unwrap_or_default();
        dst.take_bytes(&self.mem, 0, got).map(Io::Done)
    }

    pub(crate) fn write_master(
        &mut self,
        tty: &Rc<Tty>,
        master: &Master,
        src: Src<'_>,
    ) -> Result<Io, Errno> {
        if master.is_abandoned() {
            return Err(Errno::EIO);
        }
        let mut done = 0;
        let mut buf = [0; 512];
        while done < src.len() {
            let room = tty.line.borrow().input_room().min(buf.len());
            if room == 0 {
                break;
            }
            let n = match src.part(done, room).to_buf(&self.mem, &mut buf) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            };
            let mut line = tty.line.borrow_mut();
            for &byte in buf.get(..n).unwrap_or_default() {
                if line.input_room() == 0 {
                    break;
                }
                line.input(byte);
                done += 1;
            }
            if line.input_room() == 0 {
                break;
            }
        }
        self.tty_signals(tty);
        tty.queue.wake();
        master.queue.wake();
        Ok(if done == 0 && src.len() > 0 {
            Io::Wait
        } else {
            Io::Done(done)
        })
    }

    /// Requests only a master knows; `None`: it is one of those both ends share.
    pub(crate) fn master_ioctl(
        &mut self,
        c: &Caller,
        tty: &Rc<Tty>,
        master: &Master,
        cmd: u32,
        arg: u64,
    ) -> Option<SysResult> {
        Some(match cmd {
            TIOCGPTN => self.tell(c, arg, master.index as i32),
            TIOCGPTLCK => self.tell(c, arg, master.locked.get().into()),
            TIOCGPKT => self.tell(c, arg, master.packets.get().into()),
            TIOCSPTLCK => self.take_int(c, arg, |on| master.locked.set(on)),
            TIOCPKT => self.take_int(c, arg, |on| {
                if on != master.packets.replace(on) {
                    master.status.set(0);
                }
            }),
            TIOCGPTPEER => self.open_peer(c, tty, master, arg as u32),
            TIOCSIG => {
                let group = tty.line.borrow().foreground();
                match i32::try_from(arg).ok().filter(|s| (1..=64).contains(s)) {
                    None => Err(Errno::EINVAL),
                    Some(signal) => {
                        if group > 0 {
                            self.send(Target::Group(group), signal);
                        }
                        OK
                    }
                }
            }
            FIONREAD => {
                let len = tty.line.borrow().output_len();
                self.tell(c, arg, len as i32)
            }
            TIOCOUTQ => self.tell(c, arg, 0),
            _ => return None,
        })
    }

    fn tell(&self, c: &Caller, arg: u64, value: i32) -> SysResult {
        self.copy_out(c, arg, &value)?;
        OK
    }

    fn take_int(&self, c: &Caller, arg: u64, set: impl FnOnce(bool)) -> SysResult {
        let value: i32 = self.copy_in(c, arg)?;
        set(value != 0);
        OK
    }

    /// TIOCGPTPEER: the slave, whatever is mounted where its name would be.
    fn open_peer(&mut self, c: &Caller, tty: &Rc<Tty>, master: &Master, flags: u32) -> SysResult {
        let flags = OpenFlags::from_bits_retain(flags);
        let top = self.pts.clone().ok_or(Errno::EIO)?;
        let mut name = alloc::vec::Vec::new();
        number(&mut name, master.index.into());
        let found = top.inode().dir().and_then(|d| d.borrow().get(&name));
        let place = top.with(found.ok_or(Errno::EIO)?);
        let file: Rc<File> = self.vfs.open(Object::Tty(Rc::clone(tty)), place, flags)?;
        if !flags.contains(OpenFlags::NOCTTY) {
            self.adopt_terminal(c, tty);
        }
        self.install(c, file, flags.contains(OpenFlags::CLOEXEC))
            .done()
    }

    /// What has left a terminal's discipline goes on: to the console, or to the master's readers.
    pub(crate) fn tty_out(&mut self, tty: &Tty) {
        match &tty.master {
            Some(master) => master.queue.wake(),
            None => self.tty_flush(),
        }
    }
}
