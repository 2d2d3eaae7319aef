//! Who may do what to a file (inode(7), path_resolution(7), capabilities(7)).

use fsmgr_api::{Creds, MAX_GROUPS};
use lsyscall_abi::consts::cap::{
    CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID,
};
use lsyscall_abi::consts::mode::{S_ISGID, S_ISUID, S_ISVTX, S_IXGRP};
use lsyscall_abi::{Errno, MountFlags};

use crate::inode::Inode;
use crate::mount::Path;

/// Read.
pub const READ: u32 = 4;
/// Write.
pub const WRITE: u32 = 2;
/// Execute, or search a directory.
pub const EXEC: u32 = 1;

/// Whether a capability (its bit number) is in force.
pub fn capable(creds: &Creds, cap: u32) -> bool {
    creds.capabilities >> cap & 1 != 0
}

/// Whether the caller is in a group.
pub fn in_group(creds: &Creds, gid: u32) -> bool {
    let count = (creds.group_count as usize).min(MAX_GROUPS);
    creds.gid == gid || creds.groups[..count].contains(&gid)
}

/// Whether the permission bits and capabilities allow `mask`. `EACCES`.
pub fn may(inode: &Inode, creds: &Creds, mask: u32) -> Result<(), Errno> {
    let mode = inode.mode.get();
    let bits = if creds.uid == inode.uid.get() {
        mode >> 6
    } else if in_group(creds, inode.gid.get()) {
        mode >> 3
    } else {
        mode
    };
    if bits & mask == mask {
        return Ok(());
    }
    let overridden = if capable(creds, CAP_DAC_OVERRIDE) {
        mask & EXEC == 0 || inode.is_dir() || mode & 0o111 != 0
    } else if capable(creds, CAP_DAC_READ_SEARCH) {
        mask == READ || inode.is_dir() && mask & WRITE == 0
    } else {
        false
    };
    if overridden {
        Ok(())
    } else {
        Err(Errno::EACCES)
    }
}

/// As [`may`], and what the mount allows: `EROFS`, and `EACCES` for execution on a `noexec` mount.
pub fn may_at(path: &Path, creds: &Creds, mask: u32) -> Result<(), Errno> {
    let inode = path.inode();
    if mask & WRITE != 0
        && (inode.is_file() || inode.is_dir() || inode.is_link())
        && path.mount.readonly()
    {
        return Err(Errno::EROFS);
    }
    if mask & EXEC != 0 && inode.is_file() && path.mount.has(MountFlags::NOEXEC) {
        return Err(Errno::EACCES);
    }
    may(inode, creds, mask)
}

/// Whether the caller may act as the owner. `EPERM`.
pub fn owner(inode: &Inode, creds: &Creds) -> Result<(), Errno> {
    if creds.uid == inode.uid.get() || capable(creds, CAP_FOWNER) {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

/// Whether a name may be added to a directory. `EACCES`, `EROFS`.
pub fn may_create(dir: &Path, creds: &Creds) -> Result<(), Errno> {
    may_at(dir, creds, WRITE | EXEC)
}

/// Whether `victim`'s name may be taken out of a directory. `EACCES`, `EROFS`, `EPERM` in a sticky directory.
pub fn may_delete(dir: &Path, victim: &Inode, creds: &Creds) -> Result<(), Errno> {
    may_at(dir, creds, WRITE | EXEC)?;
    let parent = dir.inode();
    if parent.mode.get() & S_ISVTX != 0
        && creds.uid != victim.uid.get()
        && creds.uid != parent.uid.get()
        && !capable(creds, CAP_FOWNER)
    {
        return Err(Errno::EPERM);
    }
    Ok(())
}

/// Whether the owner and group may become these (`None`: unchanged). `EPERM`.
pub fn may_chown(
    inode: &Inode,
    creds: &Creds,
    uid: Option<u32>,
    gid: Option<u32>,
) -> Result<(), Errno> {
    if capable(creds, CAP_CHOWN) {
        return Ok(());
    }
    let mine = creds.uid == inode.uid.get();
    let uid_ok = uid.is_none_or(|uid| mine && uid == inode.uid.get());
    let gid_ok = gid.is_none_or(|gid| mine && (gid == inode.gid.get() || in_group(creds, gid)));
    if uid_ok && gid_ok {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

/// The mode chmod(2) really sets: set-group-id is dropped for a file of a foreign group.
pub fn chmod_mode(inode: &Inode, creds: &Creds, mode: u32) -> u32 {
    let foreign = !in_group(creds, inode.gid.get()) && !capable(creds, CAP_FSETID);
    if foreign {
        mode & !S_ISGID
    } else {
        mode
    }
}

/// The mode of a new file of a group: set-group-id is for members.
pub fn created_mode(mode: u32, creds: &Creds, gid: u32) -> u32 {
    if in_group(creds, gid) || capable(creds, CAP_FSETID) {
        mode
    } else {
        mode & !S_ISGID
    }
}

/// The mode after a write or a change of owner by an ordinary user: set-id bits go.
pub fn without_set_id(mode: u32) -> u32 {
    let mode = mode & !S_ISUID;
    if mode & S_IXGRP != 0 {
        mode & !S_ISGID
    } else {
        mode
    }
}

/// The caller's rights by its real ids, for access(2).
pub fn real(creds: &Creds) -> Creds {
    Creds {
        uid: creds.real_uid,
        gid: creds.real_gid,
        capabilities: if creds.real_uid == 0 { u64::MAX } else { 0 },
        ..*creds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inode::{Counters, FileData, FsKind, InodeInit, Kind, Super};
    use alloc::rc::Rc;
    use lsyscall_abi::consts::mode::{S_IFDIR, S_IFREG};

    fn inode(mode: u32, uid: u32, gid: u32) -> Rc<Inode> {
        let sb = Super::new(FsKind::Tmpfs, &Counters::new(9), &Rc::default());
        let init = InodeInit {
            mode,
            uid,
            gid,
            ..InodeInit::default()
        };
        sb.inode(init, Kind::File(FileData::new(0)))
            .expect("there is room")
    }

    fn user(uid: u32, gid: u32) -> Creds {
        Creds {
            uid,
            gid,
            real_uid: uid,
            real_gid: gid,
            capabilities: 0,
            ..Creds::ROOT
        }
    }

    #[test]
    fn only_the_first_matching_class_counts() {
        let file = inode(S_IFREG | 0o077, 5, 6);
        assert_eq!(may(&file, &user(5, 6), READ), Err(Errno::EACCES));
        assert_eq!(may(&file, &user(7, 6), READ | WRITE | EXEC), Ok(()));
        assert_eq!(may(&file, &user(7, 7), READ), Ok(()));
    }

    #[test]
    fn root_executes_only_what_somebody_may() {
        assert_eq!(
            may(&inode(S_IFREG | 0o600, 5, 6), &Creds::ROOT, EXEC),
            Err(Errno::EACCES)
        );
        assert_eq!(
            may(&inode(S_IFREG | 0o001, 5, 6), &Creds::ROOT, EXEC),
            Ok(())
        );
        assert_eq!(may(&inode(S_IFDIR, 5, 6), &Creds::ROOT, EXEC), Ok(()));
    }

    #[test]
    fn owners_give_their_files_to_their_groups_only() {
        let file = inode(S_IFREG | 0o600, 5, 6);
        let mut creds = user(5, 6);
        creds.group_count = 1;
        creds.groups[0] = 9;
        assert_eq!(may_chown(&file, &creds, None, Some(9)), Ok(()));
        assert_eq!(may_chown(&file, &creds, None, Some(8)), Err(Errno::EPERM));
        assert_eq!(may_chown(&file, &creds, Some(8), None), Err(Errno::EPERM));
    }
}
