//! Reading and writing files of /proc.

use alloc::rc::Rc;
use alloc::vec::Vec;

use console_api::Console;
use lsyscall_abi::{Errno, OpenFlags, ThreadIdx};
use lsyscall_router::Caller;
use memmgr_api::Memory;

use super::tree::{self, What, TREE};
use super::{may_inspect, Info, Node, Part, SysFile, PARTS};
use crate::file::{File, Object};
use crate::inode::Kind;
use crate::io::{Dst, Io, Src};
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
            Some(What::Text(SysFile::DropCaches, _))
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

    /// Writes: what can be written has no effect here, as there are no caches to drop.
    pub(crate) fn write_proc(
        &mut self,
        _thread: ThreadIdx,
        file: &Rc<File>,
        src: Src<'_>,
    ) -> Result<Io, Errno> {
        match &file.inode().kind {
            Kind::Proc(node) if Self::writable(node) => Ok(Io::Done(src.len())),
            _ => Err(Errno::EIO),
        }
    }
}
