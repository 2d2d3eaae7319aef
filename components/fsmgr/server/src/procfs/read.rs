//! Reading and writing files of /proc.

use alloc::rc::Rc;
use alloc::vec::Vec;

use console_api::Console;
use fsmgr_api::NEW_NAME;
use lsyscall_abi::consts::cap::CAP_SYS_RESOURCE;
use lsyscall_abi::{Errno, OpenFlags, ThreadIdx};
use lsyscall_router::Caller;
use memmgr_api::Memory;

use super::tree::{self, What, TREE};
use super::{find, may_inspect, Info, Node, Part, SysFile, Who, PARTS};
use crate::file::{File, Object};
use crate::inode::Kind;
use crate::io::{Dst, Io, Src};
use crate::perm;
use crate::FsMgr;

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// Whether a file of /proc may be opened like this: some are for the process's own user only, few can be written.
    pub(crate) fn may_open_proc(
        &self,
        c: &Caller,
        node: &Node,
        flags: OpenFlags,
    ) -> Result<(), Errno> {
        match *node {
            Node::Entry(who, index) => {
                let part = PARTS.get(usize::from(index)).map(|p| p.2);
                let private = matches!(
                    part,
                    Some(Part::Text(Info::Environ | Info::Maps | Info::Smaps))
                );
                if private {
                    may_inspect(&self.tasks, c.thread, who)?;
                }
            }
            Node::FdInfo(who, _) => may_inspect(&self.tasks, c.thread, who)?,
            _ => {}
        }
        // A setting that cannot be changed says so at once, other files only when written to.
        let setting = matches!(*node, Node::Fixed(index) if tree::is_setting(index));
        if flags.writes() && setting && !Self::writable(node) {
            return Err(Errno::EACCES);
        }
        Ok(())
    }

    fn writable(node: &Node) -> bool {
        let Node::Fixed(index) = *node else {
            return false;
        };
        matches!(
            TREE.get(usize::from(index)).map(|e| e.what),
            Some(What::Text(
                SysFile::DropCaches | SysFile::Overcommit | SysFile::OvercommitRatio,
                _
            ))
        )
    }

    fn proc_text(&mut self, reader: ThreadIdx, node: Node) -> Result<Vec<u8>, Errno> {
        match node {
            Node::Fixed(index) => match TREE.get(usize::from(index)).map(|e| e.what) {
                Some(What::Text(file, _)) => self.system_text(file),
                _ => Err(Errno::EINVAL),
            },
            Node::Entry(who, index) => match PARTS.get(usize::from(index)).map(|p| p.2) {
                Some(Part::Text(info)) => self.process_text(reader, who, info),
                _ => Err(Errno::EINVAL),
            },
            Node::FdInfo(who, fd) => self.fd_text(who, fd),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Reads: the text is made anew whenever a read starts at its beginning, and kept for the reads that follow.
    pub(crate) fn read_proc(
        &mut self,
        thread: ThreadIdx,
        file: &Rc<File>,
        dst: &mut Dst<'_>,
        at: Option<u64>,
    ) -> Result<Io, Errno> {
        let (Object::Proc(kept), Kind::Proc(node)) = (&file.object, &file.inode().kind) else {
            return Err(Errno::EINVAL);
        };
        let off = at.unwrap_or(file.pos.get());
        if off == 0 || kept.borrow().is_empty() {
            let text = self.proc_text(thread, *node)?;
            kept.replace(text);
        }
        let kept = kept.borrow();
        let from = usize::try_from(off).unwrap_or(usize::MAX).min(kept.len());
        let moved = dst.take_bytes(&self.mem, 0, kept.get(from..).unwrap_or_default())?;
        if at.is_none() {
            file.pos.set(off + moved as u64);
        }
        Ok(Io::Done(moved))
    }

    /// Writes a setting, or what else can be written. There are no caches to drop.
    pub(crate) fn write_proc(
        &mut self,
        thread: ThreadIdx,
        file: &Rc<File>,
        src: Src<'_>,
    ) -> Result<Io, Errno> {
        let Kind::Proc(node) = &file.inode().kind else {
            return Err(Errno::EIO);
        };
        if let Node::Entry(who, index) = *node {
            return match PARTS.get(usize::from(index)).map(|p| p.2) {
                Some(Part::Text(Info::Comm)) => self.write_comm(thread, who, src),
                Some(Part::Text(Info::Adjustment)) => self.write_oom_adjust(thread, who, src),
                Some(Part::Text(Info::IdMap | Info::SetGroups | Info::LoginUid)) => {
                    Err(Errno::EPERM)
                }
                _ => Err(Errno::EIO),
            };
        }
        if !Self::writable(node) {
            return Err(Errno::EIO);
        }
        if let Node::Fixed(index) = *node {
            if let Some(What::Text(file @ (SysFile::Overcommit | SysFile::OvercommitRatio), _)) =
                TREE.get(usize::from(index)).map(|e| e.what)
            {
                self.set_overcommit(file, src)?;
            }
        }
        Ok(Io::Done(src.len()))
    }

    /// comm: up to 15 bytes become the name, for threads of the own process only.
    fn write_comm(&mut self, thread: ThreadIdx, who: Who, src: Src<'_>) -> Result<Io, Errno> {
        let mut name = [0; 16];
        let room = name.get_mut(..15).unwrap_or_default();
        src.to_buf(&self.mem, room)?;
        let (process, target) = find(&self.tasks, who).map_err(|_| Errno::ESRCH)?;
        let own = self.tasks.table.process_of(thread).map(|p| p.pid);
        if own != Some(process.pid) {
            return Err(Errno::EINVAL);
        }
        let end = name.iter().position(|b| matches!(b, 0 | b'\n'));
        if let Some(rest) = name.get_mut(end.unwrap_or(15)..) {
            rest.fill(0);
        }
        let word = |at: usize| {
            let bytes = name.get(at..at + 8).and_then(|b| b.try_into().ok());
            bytes.map_or(0, u64::from_le_bytes)
        };
        self.tasks
            .get(target)?
            .new_name
            .set(Some((word(0), word(8))));
        self.send_note(target, NEW_NAME);
        Ok(Io::Done(src.len()))
    }

    /// oom_score_adj: from -1000 to 1000; less than before is for the privileged.
    fn write_oom_adjust(&mut self, thread: ThreadIdx, who: Who, src: Src<'_>) -> Result<Io, Errno> {
        let mut text = [0; 16];
        let n = src.to_buf(&self.mem, &mut text)?;
        let text =
            core::str::from_utf8(text.get(..n).unwrap_or_default()).map_err(|_| Errno::EINVAL)?;
        let value: i32 = text.trim().parse().map_err(|_| Errno::EINVAL)?;
        if !(-1000..=1000).contains(&value) {
            return Err(Errno::EINVAL);
        }
        let (_, target) = find(&self.tasks, who).map_err(|_| Errno::ESRCH)?;
        let privileged = perm::capable(&self.tasks.get(thread)?.creds, CAP_SYS_RESOURCE);
        let kept = &self.tasks.get(target)?.oom_adjust;
        if value < kept.get() && !privileged {
            return Err(Errno::EACCES);
        }
        kept.set(value);
        Ok(Io::Done(src.len()))
    }

    fn set_overcommit(&mut self, file: SysFile, src: Src<'_>) -> Result<(), Errno> {
        let mut text = [0; 8];
        let len = src.to_buf(&self.mem, &mut text)?;
        let text = core::str::from_utf8(&text[..len]).map_err(|_| Errno::EINVAL)?;
        let value: u8 = text.trim().parse().map_err(|_| Errno::EINVAL)?;
        let (mode, ratio) = self.overcommit;
        let new = match file {
            SysFile::Overcommit => (value, ratio),
            _ => (mode, value),
        };
        self.mem.set_overcommit(new.0, new.1)?;
        self.overcommit = new;
        Ok(())
    }
}
