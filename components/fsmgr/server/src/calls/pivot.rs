//! pivot_root(2).

use alloc::rc::Rc;

use console_api::Console;
use lsyscall_abi::{Errno, Fd, UserPath};
use lsyscall_router::{Caller, SysResult, OK};
use memmgr_api::Memory;

use crate::heap::headroom;
use crate::mount::Path;
use crate::FsMgr;

/// A mount's own root directory.
fn is_mount_root(place: &Path) -> bool {
    Rc::ptr_eq(&place.dentry, &place.mount.root)
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// The caller's root becomes what is mounted at `new_root`, and is found at `put_old` from then on. The very first root,
    /// below which there is nothing, cannot be exchanged.
    pub(crate) fn pivot_call(
        &mut self,
        c: &Caller,
        new_root: UserPath,
        put_old: UserPath,
    ) -> SysResult {
        self.may_mount(c)?;
        let name = self.user_path(c, new_root)?;
        let new = self.lookup(c, Fd::CWD.0, name, true)?;
        let name = self.user_path(c, put_old)?;
        let old_place = self.lookup(c, Fd::CWD.0, name, true)?;
        if !new.inode().is_dir() || !old_place.inode().is_dir() {
            return Err(Errno::ENOTDIR);
        }
        let root = self.thread(c)?.fs.root.borrow().clone();
        if new.dentry.gone.get() || old_place.dentry.gone.get() {
            return Err(Errno::ENOENT);
        }
        if Rc::ptr_eq(&new.mount, &root.mount) || Rc::ptr_eq(&old_place.mount, &root.mount) {
            return Err(Errno::EBUSY);
        }
        let below = new.mount.at.borrow().clone();
        let under_root = root.mount.at.borrow().clone();
        let (Some(_), Some(place)) = (below, under_root) else {
            return Err(Errno::EINVAL);
        };
        if !is_mount_root(&root) || !is_mount_root(&new) {
            return Err(Errno::EINVAL);
        }
        // The old root must end up at or below the new one, and the new one be reachable from the old.
        let (_, inside) = self.vfs.mounts.name_of(&old_place, &new);
        let (_, reachable) = self.vfs.mounts.name_of(&new, &root);
        if !inside || !reachable {
            return Err(Errno::EINVAL);
        }
        // Nothing may fail once the mounts are taken down.
        headroom()?;
        let mounts = &self.vfs.mounts;
        mounts.detach(&new.mount);
        mounts.detach(&root.mount);
        mounts.attach(&root.mount, Some(old_place))?;
        mounts.attach(&new.mount, Some(place))?;
        // Whoever stood in the old root stands in the new one.
        self.tasks.each(|thread| {
            for place in [&thread.fs.root, &thread.fs.cwd] {
                if place.borrow().same(&root) {
                    place.replace(new.clone());
                }
            }
        });
        OK
    }
}
