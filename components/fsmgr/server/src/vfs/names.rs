//! Giving files names, and taking names away.

use alloc::rc::Rc;

use fsmgr_api::Creds;
use lsyscall_abi::consts::inotify::*;
use lsyscall_abi::Errno;

use super::{Vfs, MAX_LINKS};
use crate::dentry::Dentry;
use crate::heap::headroom;
use crate::inode::{Inode, Kind, Time};
use crate::mount::Path;
use crate::perm;

impl Vfs {
    /// Gives a file one more name.
    pub fn link(
        &self,
        file: &Path,
        dir: &Path,
        name: &[u8],
        creds: &Creds,
        time: Time,
    ) -> Result<(), Errno> {
        let inode = file.inode();
        if !Rc::ptr_eq(&file.mount, &dir.mount) || file.inode().sb.dev != dir.inode().sb.dev {
            return Err(Errno::EXDEV);
        }
        perm::may_create(dir, creds)?;
        if inode.is_dir() || matches!(inode.kind, Kind::Proc(_)) {
            return Err(Errno::EPERM);
        }
        let entries = Self::entries(dir, true)?;
        headroom()?;
        if inode.nlink.get() >= MAX_LINKS {
            return Err(Errno::EMLINK);
        }
        inode.nlink.set(inode.nlink.get() + 1);
        inode.ctime.set(time);
        let dentry = Dentry::child(&dir.dentry, name, Rc::clone(inode));
        entries.borrow_mut().insert(dentry);
        dir.inode().touch(time);
        inode.notify(IN_ATTRIB);
        dir.inode().notify_entry(IN_CREATE, name, false, 0);
        Ok(())
    }

    /// Takes a name out of its directory: unlink, or rmdir if `dir_wanted`.
    pub fn unlink(
        &self,
        dir: &Path,
        victim: &Path,
        creds: &Creds,
        dir_wanted: bool,
        time: Time,
    ) -> Result<(), Errno> {
        let inode = victim.inode();
        perm::may_delete(dir, inode, creds)?;
        if dir_wanted && !inode.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        if !dir_wanted && inode.is_dir() {
            return Err(Errno::EISDIR);
        }
        if victim.dentry.mounted.get() > 0 || !Rc::ptr_eq(&victim.mount, &dir.mount) {
            return Err(Errno::EBUSY);
        }
        let entries = Self::entries(dir, false)?;
        if let Kind::Dir(inner) = &inode.kind {
            if !inner.borrow().is_empty() {
                return Err(Errno::ENOTEMPTY);
            }
            inner.borrow_mut().dead = true;
        }
        entries.borrow_mut().remove(&victim.dentry);
        self.dropped_name(dir, inode, time);
        dir.inode().touch(time);
        if !inode.is_dir() {
            inode.notify(IN_ATTRIB);
        }
        // Held by `victim` alone: nobody has it open.
        if inode.nlink.get() == 0 && Rc::strong_count(&victim.dentry) == 1 {
            inode.notify_gone(IN_DELETE_SELF);
        }
        let name = victim.dentry.name();
        dir.inode()
            .notify_entry(IN_DELETE, &name, inode.is_dir(), 0);
        Ok(())
    }

    /// Those who watch hear of a name that moved.
    fn notify_move(&self, moved: &Inode, from: (&Path, &[u8]), to: (&Path, &[u8])) {
        let cookie = self.next_cookie.get();
        self.next_cookie.set(cookie.checked_add(1).unwrap_or(1));
        let is_dir = moved.is_dir();
        from.0
            .inode()
            .notify_entry(IN_MOVED_FROM, from.1, is_dir, cookie);
        to.0.inode().notify_entry(IN_MOVED_TO, to.1, is_dir, cookie);
    }

    fn dropped_name(&self, dir: &Path, inode: &Inode, time: Time) {
        let links = if inode.is_dir() {
            let parent = dir.inode();
            parent.nlink.set(parent.nlink.get().saturating_sub(1));
            0
        } else {
            inode.nlink.get().saturating_sub(1)
        };
        inode.nlink.set(links);
        inode.ctime.set(time);
    }

    /// Gives a name another place; what has the new name is replaced, or swapped with it if `exchange`.
    #[allow(clippy::too_many_arguments)]
    pub fn rename(
        &self,
        old_dir: &Path,
        old: &Path,
        new_dir: &Path,
        name: &[u8],
        target: Option<&Path>,
        exchange: bool,
        creds: &Creds,
        time: Time,
    ) -> Result<(), Errno> {
        let inode = old.inode();
        perm::may_delete(old_dir, inode, creds)?;
        match target {
            Some(target) => perm::may_delete(new_dir, target.inode(), creds)?,
            None => perm::may_create(new_dir, creds)?,
        }
        let from = Self::entries(old_dir, false)?;
        let to = Self::entries(new_dir, true)?;
        let moves_up = !Rc::ptr_eq(&old_dir.dentry, &new_dir.dentry);
        if let Some(target) = target.filter(|_| !exchange) {
            match (inode.is_dir(), target.inode().is_dir()) {
                (true, false) => return Err(Errno::ENOTDIR),
                (false, true) => return Err(Errno::EISDIR),
                _ => {}
            }
            if target.inode().dir().is_some_and(|d| !d.borrow().is_empty()) {
                return Err(Errno::ENOTEMPTY);
            }
        }
        let busy = |p: &Path| p.dentry.mounted.get() > 0 || !Rc::ptr_eq(&p.mount, &old_dir.mount);
        if busy(old) || target.is_some_and(busy) {
            return Err(Errno::EBUSY);
        }
        if inode.is_dir() && moves_up {
            // A moved directory gets another `..`, which must be written.
            perm::may(inode, creds, perm::WRITE)?;
        }
        let old_name = old.dentry.name().to_vec();
        from.borrow_mut().remove(&old.dentry);
        if let Some(target) = target {
            to.borrow_mut().remove(&target.dentry);
            if exchange {
                target.dentry.set_place(&old_dir.dentry, &old_name);
                from.borrow_mut().insert(Rc::clone(&target.dentry));
                target.inode().ctime.set(time);
            } else {
                if let Some(inner) = target.inode().dir() {
                    inner.borrow_mut().dead = true;
                }
                self.dropped_name(new_dir, target.inode(), time);
            }
        }
        old.dentry.set_place(&new_dir.dentry, name);
        to.borrow_mut().insert(Rc::clone(&old.dentry));
        inode.ctime.set(time);
        if moves_up {
            let swapped = target
                .filter(|_| exchange)
                .is_some_and(|t| t.inode().is_dir());
            match (inode.is_dir(), swapped) {
                (true, false) => move_link(old_dir.inode(), new_dir.inode()),
                (false, true) => move_link(new_dir.inode(), old_dir.inode()),
                _ => {}
            }
        }
        old_dir.inode().touch(time);
        new_dir.inode().touch(time);
        self.notify_move(inode, (old_dir, &old_name), (new_dir, name));
        if let Some(target) = target.filter(|_| !exchange) {
            if !target.inode().is_dir() {
                target.inode().notify(IN_ATTRIB);
            }
        }
        inode.notify(IN_MOVE_SELF);
        if let Some(target) = target.filter(|_| exchange) {
            self.notify_move(target.inode(), (new_dir, name), (old_dir, &old_name));
            target.inode().notify(IN_MOVE_SELF);
        }
        Ok(())
    }
}

fn move_link(from: &Inode, to: &Inode) {
    from.nlink.set(from.nlink.get().saturating_sub(1));
    to.nlink.set(to.nlink.get() + 1);
}
