//! Terminals at work: job control, the way between line discipline and console, the host's stream.

use alloc::rc::Rc;

use console_api::Console;
use fsmgr_api::Target;
use lsyscall_abi::signal::{SIGTTIN, SIGTTOU};
use lsyscall_abi::{lflag, Errno, Signal, ThreadIdx, Winsize};
use memmgr_api::Memory;
use persona_ipc::{Chunk, CHUNK_BYTES};
use persona_tty::{ReadMode, ReadResult};

use crate::file::File;
use crate::heap::buffer;
use crate::io::{Dst, Io, Src};
use crate::tty::{HostStream, Tty, HOST_INPUT};
use crate::FsMgr;

/// Most one read of a terminal gives, as on Linux.
const READ_MAX: usize = 4096;

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// Whether the caller may use its controlling terminal now. `Ok(false)`: its group was sent `signal`, and the call must
    /// wait for that. `EIO` where the signal would do no good.
    pub(crate) fn job_control(
        &mut self,
        thread: ThreadIdx,
        tty: &Tty,
        signal: i32,
    ) -> Result<bool, Errno> {
        let (session, foreground) = {
            let line = tty.line.borrow();
            (line.session(), line.foreground())
        };
        if session == 0 || foreground == 0 {
            return Ok(true);
        }
        let Some(process) = self.tasks.table.process_of(thread) else {
            return Ok(true);
        };
        if process.sid != session as u32 || process.pgid == foreground as u32 {
            return Ok(true);
        }
        let bit = Signal(signal).bit();
        let blocked = self
            .tasks
            .table
            .thread(thread.index())
            .is_some_and(|t| t.blocked & bit != 0);
        if blocked || process.ignored & bit != 0 {
            return if signal == SIGTTOU {
                Ok(true)
            } else {
                Err(Errno::EIO)
            };
        }
        if self.tasks.table.is_orphaned(process.pgid, process.sid) {
            return Err(Errno::EIO);
        }
        self.send(Target::Group(process.pgid as i32), signal);
        Ok(false)
    }

    pub(crate) fn read_tty(
        &mut self,
        thread: ThreadIdx,
        file: &File,
        tty: &Rc<Tty>,
        dst: &mut Dst<'_>,
        deadline: Option<u64>,
    ) -> Result<Io, Errno> {
        if !self.job_control(thread, tty, SIGTTIN)? {
            return Ok(Io::Stop);
        }
        let mode = match deadline {
            _ if file.nonblocking() => ReadMode::NonBlocking,
            Some(deadline) if deadline <= self.now() => ReadMode::TimedOut,
            _ => ReadMode::Waiting,
        };
        let mut buf = buffer(dst.len().min(READ_MAX))?;
        let result = tty.line.borrow_mut().read(&mut buf, mode);
        match &tty.master {
            Some(master) => master.queue.wake(),
            None => self.console_event(),
        }
        match result {
            ReadResult::Data(n) => {
                let got = buf.get(..n).unwrap_or_default();
                if n > 0 && dst.take_bytes(&self.mem, 0, got)? < n {
                    return Err(Errno::EFAULT);
                }
                Ok(Io::Done(n))
            }
            ReadResult::Eof => Ok(Io::Done(0)),
            ReadResult::WouldBlock => Ok(Io::Wait),
        }
    }

    pub(crate) fn write_tty(
        &mut self,
        thread: ThreadIdx,
        tty: &Rc<Tty>,
        src: Src<'_>,
    ) -> Result<Io, Errno> {
        let tostop = tty.line.borrow().termios().lflag & lflag::TOSTOP != 0;
        if tostop && !self.job_control(thread, tty, SIGTTOU)? {
            return Ok(Io::Stop);
        }
        let mut done = 0;
        let mut buf = [0; 512];
        while done < src.len() {
            let n = match src.part(done, buf.len()).to_buf(&self.mem, &mut buf) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            };
            let mut taken = tty.line.borrow_mut().write(&buf[..n])?;
            if taken < n && tty.master.is_none() {
                self.tty_flush();
                taken += tty.line.borrow_mut().write(&buf[taken..n])?;
            }
            done += taken;
            if taken < n {
                break;
            }
        }
        self.tty_out(tty);
        Ok(if done == 0 && src.len() > 0 {
            Io::Wait
        } else {
            Io::Done(done)
        })
    }

    /// Moves what the terminal has to say to the console, as far as its queue has room.
    pub(crate) fn tty_flush(&mut self) {
        let tty = Rc::clone(&self.tty);
        let mut staged = tty.staged.borrow_mut();
        loop {
            if staged.is_empty() {
                staged.resize(CHUNK_BYTES, 0);
                let n = tty.line.borrow_mut().take_output(&mut staged);
                staged.truncate(n);
                if n == 0 {
                    return;
                }
            }
            let taken = self.console.write(Chunk::new(&staged)).unwrap_or(0) as usize;
            let taken = taken.min(staged.len());
            staged.drain(..taken);
            if !staged.is_empty() {
                return;
            }
        }
    }

    /// Input has arrived, or the console's queue has room again.
    pub(crate) fn console_event(&mut self) {
        let tty = Rc::clone(&self.tty);
        let mut news = false;
        loop {
            news |= self.feed();
            if !self.unfed.is_empty() {
                break;
            }
            let Ok(input) = self.console.read() else {
                break;
            };
            if input.resized {
                tty.line.borrow_mut().set_winsize(Winsize {
                    rows: input.rows,
                    cols: input.cols,
                    ..Winsize::default()
                });
                news = true;
            }
            self.unfed.extend(input.data.as_slice());
            if input.end && !self.input_ended {
                self.input_ended = true;
                news = true;
            }
            if input.data.as_slice().is_empty() {
                break;
            }
        }
        if self.input_ended && self.unfed.is_empty() {
            if self.piped {
                self.host.ended.set(true);
            } else {
                tty.line.borrow_mut().end_input();
            }
        }
        self.tty_signals(&tty);
        let was_full = !tty.line.borrow().poll().writable;
        self.tty_flush();
        let has_room = was_full && tty.line.borrow().poll().writable;
        if news || has_room {
            tty.queue.wake();
        }
        let unblocked = self.host.full.replace(false);
        if news || unblocked {
            self.host.queue.wake();
        }
    }

    /// Gives waiting input to where it belongs; true if any went.
    fn feed(&mut self) -> bool {
        let before = self.unfed.len();
        if self.piped {
            let mut input = self.host.input.borrow_mut();
            let room = HOST_INPUT.saturating_sub(input.len());
            input.extend(self.unfed.drain(..room.min(before)));
        } else {
            let mut line = self.tty.line.borrow_mut();
            while line.input_room() > 0 {
                let Some(byte) = self.unfed.pop_front() else {
                    break;
                };
                line.input(byte);
            }
        }
        self.unfed.len() != before
    }

    /// Hands the terminal's signals to its foreground group.
    pub(crate) fn tty_signals(&mut self, tty: &Tty) {
        loop {
            let (signal, group) = {
                let mut line = tty.line.borrow_mut();
                (line.take_signal(), line.foreground())
            };
            match signal {
                None => return,
                Some(signal) if group > 0 => self.send(Target::Group(group), signal.0),
                Some(_) => {}
            }
        }
    }

    pub(crate) fn read_host(
        &mut self,
        host: &Rc<HostStream>,
        dst: &mut Dst<'_>,
    ) -> Result<Io, Errno> {
        if host.input.borrow().is_empty() {
            self.console_event();
        }
        if host.input.borrow().is_empty() {
            return Ok(if host.ended.get() {
                Io::Done(0)
            } else {
                Io::Wait
            });
        }
        let moved = {
            let mut input = host.input.borrow_mut();
            let (front, back) = input.as_slices();
            let mut moved = dst.take_bytes(&self.mem, 0, front)?;
            if moved == front.len() && !back.is_empty() {
                moved += dst.take_bytes(&self.mem, moved, back).unwrap_or(0);
            }
            input.drain(..moved);
            moved
        };
        if !self.unfed.is_empty() {
            self.console_event();
        }
        Ok(Io::Done(moved))
    }

    pub(crate) fn write_host(&mut self, host: &Rc<HostStream>, src: Src<'_>) -> Result<Io, Errno> {
        let mut done = 0;
        let mut buf = [0; CHUNK_BYTES];
        while done < src.len() {
            let n = match src.part(done, buf.len()).to_buf(&self.mem, &mut buf) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            };
            let taken = self.console.write(Chunk::new(&buf[..n])).unwrap_or(0) as usize;
            let taken = taken.min(n);
            done += taken;
            if taken < n {
                host.full.set(true);
                break;
            }
        }
        Ok(if done == 0 && src.len() > 0 {
            Io::Wait
        } else {
            Io::Done(done)
        })
    }
}
