//! ioctl(2).

use alloc::rc::Rc;

use console_api::Console;
use fsmgr_api::Target;
use lsyscall_abi::consts::cap::CAP_SYS_ADMIN;
use lsyscall_abi::consts::ioctl::*;
use lsyscall_abi::consts::tcflow::{TCIFLUSH, TCIOFLUSH, TCOFLUSH};
use lsyscall_abi::consts::tcxonc::{TCIOFF, TCION, TCOOFF, TCOON};
use lsyscall_abi::signal::{SIGCONT, SIGHUP, SIGTTOU};
use lsyscall_abi::{iflag, Errno, OpenFlags, Termio, Termios, Termios2, Winsize};
use lsyscall_router::{Caller, SysResult, OK};
use memmgr_api::Memory;

use crate::file::{File, Object};
use crate::park::Wait;
use crate::perm;
use crate::pty::packet;
use crate::sigio::can_signal;
use crate::tty::Tty;
use crate::FsMgr;

/// What TIOCMGET says of a line whose modem is always there: DTR, RTS, CTS, CD, DSR.
const MODEM: i32 = 0x002 | 0x004 | 0x020 | 0x040 | 0x100;

fn short(t: &Termios2) -> Termios {
    Termios {
        iflag: t.iflag,
        oflag: t.oflag,
        cflag: t.cflag,
        lflag: t.lflag,
        line: t.line,
        cc: t.cc,
    }
}

fn oldest(t: &Termios2) -> Termio {
    let mut cc = [0; 8];
    for (to, from) in cc.iter_mut().zip(t.cc) {
        *to = from;
    }
    Termio {
        iflag: t.iflag as u16,
        oflag: t.oflag as u16,
        cflag: t.cflag as u16,
        lflag: t.lflag as u16,
        line: t.line,
        cc,
        pad: 0,
    }
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    pub(crate) fn ioctl_call(&mut self, c: &Caller, fd: i32, cmd: u32, arg: u64) -> SysResult {
        let (file, _) = self.blocking_file(c, fd)?;
        file.not_path_only()?;
        match cmd {
            FIOCLEX | FIONCLEX => {
                let mut files = self.thread(c)?.files.borrow_mut();
                files.set_cloexec(fd, cmd == FIOCLEX)?;
                return OK;
            }
            FIONBIO => {
                let on: i32 = self.copy_in(c, arg)?;
                let mut flags = file.flags();
                flags.set(OpenFlags::NONBLOCK, on != 0);
                file.set_flags(flags.bits());
                return OK;
            }
            FIOASYNC => {
                let on: i32 = self.copy_in(c, arg)?;
                let mut flags = file.flags();
                if on != 0 && !can_signal(&file) {
                    return Err(Errno::ENOTTY);
                }
                flags.set(OpenFlags::ASYNC, on != 0);
                file.set_flags(flags.bits());
                self.set_async(&file, fd, on != 0);
                return OK;
            }
            _ => {}
        }
        match &file.object {
            Object::Tty(tty) | Object::Master(tty) => {
                self.tty_ioctl(c, &file, &Rc::clone(tty), cmd, arg)
            }
            Object::Pipe(pipe) if cmd == FIONREAD => self.put_int(c, arg, pipe.ring.len()),
            Object::Host(host) if cmd == FIONREAD => {
                let len = host.input.borrow().len();
                self.put_int(c, arg, len)
            }
            Object::Inotify(inotify) if cmd == FIONREAD => {
                self.put_int(c, arg, inotify.readable_len())
            }
            Object::Socket(socket) if cmd == FIONREAD => {
                self.put_int(c, arg, socket.readable_len())
            }
            Object::Socket(socket) if cmd == TIOCOUTQ => self.put_int(c, arg, socket.unsent_len()),
            Object::Regular if cmd == FIONREAD => {
                let left = file.inode().size() as i64 - file.pos.get() as i64;
                self.copy_out(c, arg, &(left as i32))?;
                OK
            }
            Object::Regular | Object::Directory if cmd == FIOQSIZE => {
                self.copy_out(c, arg, &(file.inode().size() as i64))?;
                OK
            }
            _ => Err(Errno::ENOTTY),
        }
    }

    fn put_int(&self, c: &Caller, arg: u64, value: usize) -> SysResult {
        self.copy_out(c, arg, &(value as i32))?;
        OK
    }

    fn tty_ioctl(
        &mut self,
        c: &Caller,
        file: &Rc<File>,
        tty: &Rc<Tty>,
        cmd: u32,
        arg: u64,
    ) -> SysResult {
        let master = match (&file.object, &tty.master) {
            (Object::Master(_), Some(master)) => {
                if let Some(result) = self.master_ioctl(c, tty, master, cmd, arg) {
                    return result;
                }
                true
            }
            _ => false,
        };
        if !master && tty.line.borrow().is_hung_up() {
            return Err(if cmd == TIOCSPGRP {
                Errno::ENOTTY
            } else {
                Errno::EIO
            });
        }
        let changes = !master
            && matches!(
                cmd,
                TCSETS
                    | TCSETSW
                    | TCSETSF
                    | TCSETS2
                    | TCSETSW2
                    | TCSETSF2
                    | TCSETA
                    | TCSETAW
                    | TCSETAF
                    | TCSBRK
                    | TCSBRKP
                    | TIOCSBRK
                    | TIOCCBRK
                    | TCXONC
                    | TCFLSH
                    | TIOCSPGRP
                    | TIOCSETD
            );
        if changes && !self.job_control(c.thread, tty, SIGTTOU)? {
            return self.park_ticket(c, Wait::default());
        }
        match cmd {
            TCGETS => {
                let t = short(tty.line.borrow().termios());
                self.copy_out(c, arg, &t)?;
            }
            TCGETS2 => {
                let t = *tty.line.borrow().termios();
                self.copy_out(c, arg, &t)?;
            }
            TCGETA => {
                let t = oldest(tty.line.borrow().termios());
                self.copy_out(c, arg, &t)?;
            }
            TCSETS | TCSETSW | TCSETSF | TCSETS2 | TCSETSW2 | TCSETSF2 | TCSETA | TCSETAW
            | TCSETAF => return self.set_termios(c, file, tty, cmd, arg),
            TIOCGWINSZ => {
                let size = tty.line.borrow().winsize();
                self.copy_out(c, arg, &size)?;
            }
            TIOCSWINSZ => {
                let size: Winsize = self.copy_in(c, arg)?;
                tty.line.borrow_mut().set_winsize(size);
                self.tty_signals(tty);
            }
            FIONREAD => {
                let len = tty.line.borrow().input_len();
                return self.put_int(c, arg, len);
            }
            TIOCOUTQ if tty.master.is_some() => return self.put_int(c, arg, 0),
            TIOCOUTQ => {
                let len = tty.line.borrow().output_len() + tty.staged.borrow().len();
                return self.put_int(c, arg, len);
            }
            TCFLSH => {
                let mut line = tty.line.borrow_mut();
                match arg as u32 {
                    TCIFLUSH => line.flush_input(),
                    TCOFLUSH => line.flush_output(),
                    TCIOFLUSH => {
                        line.flush_input();
                        line.flush_output();
                    }
                    _ => return Err(Errno::EINVAL),
                }
                drop(line);
                if let Some(pty) = &tty.master {
                    match arg as u32 {
                        TCIFLUSH => pty.tell(packet::FLUSHREAD),
                        TCOFLUSH => pty.tell(packet::FLUSHWRITE),
                        _ => pty.tell(packet::FLUSHREAD | packet::FLUSHWRITE),
                    }
                    pty.queue.wake();
                }
                tty.queue.wake();
            }
            TCXONC => {
                let mut line = tty.line.borrow_mut();
                match arg as u32 {
                    TCOOFF => line.stop_output(),
                    TCOON => line.start_output(),
                    TCIOFF => line.send_stop(),
                    TCION => line.send_start(),
                    _ => return Err(Errno::EINVAL),
                }
                drop(line);
                if let Some(pty) = &tty.master {
                    match arg as u32 {
                        TCOOFF => pty.tell(packet::STOP),
                        TCOON => pty.tell(packet::START),
                        _ => {}
                    }
                }
                self.tty_out(tty);
                tty.queue.wake();
            }
            // Waits for the output to drain; the break itself means nothing to the host.
            TCSBRK | TCSBRKP => {
                if tty.master.is_none() && tty.line.borrow().output_len() > 0 {
                    return self.park_on(c, file, 0);
                }
            }
            TIOCSBRK | TIOCCBRK | TIOCEXCL | TIOCNXCL => {}
            TIOCSTI => {
                let byte: u8 = self.copy_in(c, arg)?;
                if !perm::capable(&self.thread(c)?.creds, CAP_SYS_ADMIN) {
                    return Err(Errno::EPERM);
                }
                tty.line.borrow_mut().input(byte);
                self.tty_signals(tty);
                self.tty_out(tty);
                tty.queue.wake();
            }
            TIOCGETD => self.copy_out(c, arg, &0i32)?,
            TIOCSETD => {
                let discipline: i32 = self.copy_in(c, arg)?;
                if discipline != 0 {
                    return Err(Errno::EINVAL);
                }
            }
            TIOCMGET => self.copy_out(c, arg, &MODEM)?,
            TIOCMBIS | TIOCMBIC | TIOCMSET => {
                let _: i32 = self.copy_in(c, arg)?;
            }
            TIOCGSOFTCAR => self.copy_out(c, arg, &1i32)?,
            TIOCGPGRP | TIOCSPGRP | TIOCGSID | TIOCSCTTY | TIOCNOTTY => {
                return self.session_ioctl(c, file, tty, cmd, arg)
            }
            _ => return Err(Errno::ENOTTY),
        }
        OK
    }

    fn set_termios(
        &mut self,
        c: &Caller,
        file: &Rc<File>,
        tty: &Rc<Tty>,
        cmd: u32,
        arg: u64,
    ) -> SysResult {
        let mut new = *tty.line.borrow().termios();
        match cmd {
            TCSETS2 | TCSETSW2 | TCSETSF2 => new = self.copy_in(c, arg)?,
            TCSETA | TCSETAW | TCSETAF => {
                let t: Termio = self.copy_in(c, arg)?;
                let join = |old: u32, low: u16| old & 0xffff_0000 | u32::from(low);
                new.iflag = join(new.iflag, t.iflag);
                new.oflag = join(new.oflag, t.oflag);
                new.cflag = join(new.cflag, t.cflag);
                new.lflag = join(new.lflag, t.lflag);
                for (to, from) in new.cc.iter_mut().zip(t.cc) {
                    *to = from;
                }
            }
            _ => {
                let t: Termios = self.copy_in(c, arg)?;
                new.iflag = t.iflag;
                new.oflag = t.oflag;
                new.cflag = t.cflag;
                new.lflag = t.lflag;
                new.cc = t.cc;
            }
        }
        new.line = 0;
        let waits = !matches!(cmd, TCSETS | TCSETS2 | TCSETA);
        if waits && tty.master.is_none() {
            self.tty_flush();
            if tty.line.borrow().output_len() > 0 {
                return self.park_on(c, file, 0);
            }
        }
        let flowed = tty.line.borrow().termios().iflag & iflag::IXON != 0;
        let flows = {
            let mut line = tty.line.borrow_mut();
            if matches!(cmd, TCSETSF | TCSETSF2 | TCSETAF) {
                line.flush_input();
            }
            line.set_termios(new);
            line.termios().iflag & iflag::IXON != 0
        };
        if let (Some(pty), true) = (&tty.master, flows != flowed) {
            pty.tell(if flows {
                packet::DOSTOP
            } else {
                packet::NOSTOP
            });
        }
        self.tty_out(tty);
        tty.queue.wake();
        OK
    }

    /// Sessions and process groups (tty_ioctl(4), credentials(7)).
    fn session_ioctl(
        &mut self,
        c: &Caller,
        file: &File,
        tty: &Rc<Tty>,
        cmd: u32,
        arg: u64,
    ) -> SysResult {
        let process = self.tasks.table.process_of(c.thread).ok_or(Errno::ENOTTY)?;
        let (session, foreground) = {
            let line = tty.line.borrow();
            (line.session(), line.foreground())
        };
        let sid = process.sid as i32;
        let mine = session != 0 && session == sid;
        // A master may ask about the other side's terminal; setting it is for those whose terminal it is.
        let master = matches!(file.object, Object::Master(_));
        if master && session == 0 && matches!(cmd, TIOCGSID) {
            return Err(Errno::ENOTTY);
        }
        match cmd {
            TIOCSCTTY => {
                if mine && process.pid == process.sid {
                    return OK;
                }
                if process.pid != process.sid {
                    return Err(Errno::EPERM);
                }
                let may_steal = arg == 1 && perm::capable(&self.thread(c)?.creds, CAP_SYS_ADMIN);
                if self.terminal_of(process.sid).is_some() {
                    return Err(Errno::EPERM);
                }
                if session != 0 && !may_steal {
                    return Err(Errno::EPERM);
                }
                let privileged = perm::capable(&self.thread(c)?.creds, CAP_SYS_ADMIN);
                if !file.reads() && !privileged {
                    return Err(Errno::EPERM);
                }
                let mut line = tty.line.borrow_mut();
                line.set_session(sid);
                line.set_foreground(process.pgid as i32);
            }
            _ if !(mine || master && matches!(cmd, TIOCGPGRP | TIOCGSID)) => {
                return Err(Errno::ENOTTY)
            }
            TIOCGPGRP => self.copy_out(c, arg, &foreground)?,
            TIOCGSID => self.copy_out(c, arg, &session)?,
            TIOCSPGRP => {
                let group: i32 = self.copy_in(c, arg)?;
                if group < 0 {
                    return Err(Errno::EINVAL);
                }
                let member = self
                    .tasks
                    .table
                    .processes()
                    .find(|p| p.pgid == group as u32)
                    .ok_or(Errno::ESRCH)?;
                if member.sid != process.sid {
                    return Err(Errno::EPERM);
                }
                tty.line.borrow_mut().set_foreground(group);
                tty.queue.wake();
            }
            // TIOCNOTTY
            _ => {
                if process.pid == process.sid {
                    self.disassociate(sid);
                }
            }
        }
        OK
    }

    /// The session's terminal is free again; its foreground group is told.
    pub(crate) fn disassociate(&mut self, sid: i32) {
        let Some(tty) = u32::try_from(sid).ok().and_then(|s| self.terminal_of(s)) else {
            return;
        };
        let group = {
            let mut line = tty.line.borrow_mut();
            if line.session() != sid || sid == 0 {
                return;
            }
            let group = line.foreground();
            line.set_session(0);
            line.set_foreground(0);
            group
        };
        if group > 0 {
            self.send(Target::Group(group), SIGHUP);
            self.send(Target::Group(group), SIGCONT);
        }
        tty.queue.wake();
    }
}
