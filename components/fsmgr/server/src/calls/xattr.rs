//! Extended attributes: setxattr(2), getxattr(2), listxattr(2), removexattr(2) and their relatives; the rules are xattr(7)'s.
//! There are no access control lists: `system.posix_acl_*` is answered as by a file system mounted without them.

use alloc::vec::Vec;

use console_api::Console;
use fsmgr_api::Creds;
use lsyscall_abi::consts::cap::{CAP_SETFCAP, CAP_SYS_ADMIN};
use lsyscall_abi::consts::inotify::IN_ATTRIB;
use lsyscall_abi::consts::mode::S_ISVTX;
use lsyscall_abi::{AtFlags, Errno, Fd, UserPath, UserSlice, UserStr};
use lsyscall_router::{Caller, Done, SysResult, OK};
use memmgr_api::{Memory, Space};

use crate::heap::buffer;
use crate::inode::{Inode, Kind};
use crate::mount::Path;
use crate::perm;
use crate::xattr::{CREATE, LIST_MAX, NAME_MAX, REPLACE, VALUE_MAX};
use crate::FsMgr;

/// Attribute names that say more than a file's owner may.
const TRUSTED: &[u8] = b"trusted.";
const SECURITY: &[u8] = b"security.";
const USER: &[u8] = b"user.";
/// File capabilities: kept, and dropped when the file changes.
pub(crate) const FILE_CAPS: &[u8] = b"security.capability";

/// Which file a call means.
#[derive(Clone, Copy)]
pub(crate) enum On {
    /// That of a name; a symbolic link is followed or not.
    Name(UserPath, bool),
    /// That of a descriptor.
    Fd(Fd),
}

/// Whether attributes of this name exist here at all. `EOPNOTSUPP`, `EINVAL` for a bare prefix.
fn check_name(inode: &Inode, name: &[u8]) -> Result<(), Errno> {
    if matches!(inode.kind, Kind::Proc(_) | Kind::Anon) {
        return Err(Errno::EOPNOTSUPP);
    }
    for prefix in [USER, TRUSTED, SECURITY] {
        if let Some(rest) = name.strip_prefix(prefix) {
            return if rest.is_empty() {
                Err(Errno::EINVAL)
            } else {
                Ok(())
            };
        }
    }
    Err(Errno::EOPNOTSUPP)
}

/// Who may read or write an attribute (xattr(7)). `EPERM`, `ENODATA`, `EACCES`.
fn permission(inode: &Inode, creds: &Creds, name: &[u8], writes: bool) -> Result<(), Errno> {
    let refused = if writes { Errno::EPERM } else { Errno::ENODATA };
    if name.starts_with(SECURITY) || name.starts_with(b"system.") {
        return Ok(());
    }
    if name.starts_with(TRUSTED) {
        return if perm::capable(creds, CAP_SYS_ADMIN) {
            Ok(())
        } else {
            Err(refused)
        };
    }
    if name.starts_with(USER) {
        if !inode.is_file() && !inode.is_dir() {
            return Err(refused);
        }
        if writes && inode.is_dir() && inode.mode.get() & S_ISVTX != 0 {
            perm::owner(inode, creds)?;
        }
    }
    perm::may(inode, creds, if writes { perm::WRITE } else { perm::READ })
}

/// Setting and removing security attributes needs more (capabilities(7)). `EPERM`.
fn may_change_security(creds: &Creds, name: &[u8]) -> Result<(), Errno> {
    let needed = match name {
        FILE_CAPS => CAP_SETFCAP,
        name if name.starts_with(SECURITY) => CAP_SYS_ADMIN,
        _ => return Ok(()),
    };
    if perm::capable(creds, needed) {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

/// Whether a value has the form of struct vfs_cap_data. `EINVAL`.
fn check_caps(value: &[u8]) -> Result<(), Errno> {
    let magic = value.first_chunk().map(|b| u32::from_le_bytes(*b));
    match (magic.map(|m| m & 0xff00_0000), value.len()) {
        (Some(0x0200_0000), 20) | (Some(0x0300_0000), 24) => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    fn xattr_place(&self, c: &Caller, on: On) -> Result<Path, Errno> {
        match on {
            On::Name(path, follow) => {
                let flags = if follow {
                    AtFlags::empty()
                } else {
                    AtFlags::SYMLINK_NOFOLLOW
                };
                self.at_place(c, Fd::CWD.0, path, flags)
            }
            On::Fd(fd) => {
                let file = self.file(c, fd.0)?;
                file.not_path_only()?;
                Ok(file.path.clone())
            }
        }
    }

    /// A name from user memory. `ERANGE` if it is empty or too long, `EFAULT`.
    fn xattr_name(&self, c: &Caller, name: UserStr) -> Result<Vec<u8>, Errno> {
        let space = Space::Thread(c.thread);
        let name = self
            .mem
            .read_cstr(space, name.addr(), NAME_MAX + 1)
            .map_err(|e| match e {
                Errno::ENAMETOOLONG => Errno::ERANGE,
                e => e,
            })?;
        if name.is_empty() {
            return Err(Errno::ERANGE);
        }
        Ok(name)
    }

    pub(crate) fn setxattr_call(
        &mut self,
        c: &Caller,
        on: On,
        name: UserStr,
        value: UserSlice,
        flags: u32,
    ) -> SysResult {
        let place = self.xattr_place(c, on)?;
        place.writable()?;
        if flags & !(CREATE | REPLACE) != 0 {
            return Err(Errno::EINVAL);
        }
        let name = self.xattr_name(c, name)?;
        if value.len > VALUE_MAX {
            return Err(Errno::E2BIG);
        }
        let mut bytes = buffer(value.len)?;
        self.mem
            .copy_in(Space::Thread(c.thread), value.addr, &mut bytes)?;
        let creds = self.creds(c)?;
        let inode = place.inode();
        if name == FILE_CAPS {
            check_caps(&bytes)?;
        }
        permission(inode, &creds, &name, true)?;
        may_change_security(&creds, &name)?;
        check_name(inode, &name)?;
        inode
            .extra()
            .xattrs
            .borrow_mut()
            .set(&name, &bytes, flags)?;
        inode.ctime.set(self.time());
        place.dentry.notify(IN_ATTRIB);
        OK
    }

    pub(crate) fn removexattr_call(&mut self, c: &Caller, on: On, name: UserStr) -> SysResult {
        let place = self.xattr_place(c, on)?;
        place.writable()?;
        let name = self.xattr_name(c, name)?;
        let creds = self.creds(c)?;
        let inode = place.inode();
        permission(inode, &creds, &name, true)?;
        may_change_security(&creds, &name)?;
        check_name(inode, &name)?;
        let extra = inode.extra.get().ok_or(Errno::ENODATA)?;
        extra.xattrs.borrow_mut().remove(&name)?;
        inode.ctime.set(self.time());
        place.dentry.notify(IN_ATTRIB);
        OK
    }

    pub(crate) fn getxattr_call(
        &mut self,
        c: &Caller,
        on: On,
        name: UserStr,
        out: UserSlice,
    ) -> SysResult {
        let place = self.xattr_place(c, on)?;
        let name = self.xattr_name(c, name)?;
        let creds = self.creds(c)?;
        let inode = place.inode();
        permission(inode, &creds, &name, false)?;
        check_name(inode, &name)?;
        let extra = inode.extra.get().ok_or(Errno::ENODATA)?;
        let xattrs = extra.xattrs.borrow();
        self.xattr_answer(c, xattrs.get(&name)?, out)
    }

    pub(crate) fn listxattr_call(&mut self, c: &Caller, on: On, out: UserSlice) -> SysResult {
        let place = self.xattr_place(c, on)?;
        let privileged = perm::capable(&self.thread(c)?.creds, CAP_SYS_ADMIN);
        let mut list = Vec::new();
        if let Some(extra) = place.inode().extra.get() {
            for name in extra.xattrs.borrow().names() {
                if privileged || !name.starts_with(TRUSTED) {
                    list.try_reserve(name.len() + 1)
                        .map_err(|_| Errno::ENOMEM)?;
                    list.extend_from_slice(name);
                    list.push(0);
                }
            }
        }
        self.xattr_answer(c, &list, out)
    }

    /// Tells the program bytes, or how many there are if it has no room at all. `ERANGE`, `E2BIG`.
    fn xattr_answer(&self, c: &Caller, bytes: &[u8], out: UserSlice) -> SysResult {
        const { assert!(LIST_MAX == VALUE_MAX) };
        if !out.is_empty() {
            if bytes.len() > out.len {
                return Err(if out.len >= LIST_MAX {
                    Errno::E2BIG
                } else {
                    Errno::ERANGE
                });
            }
            self.mem
                .copy_out(Space::Thread(c.thread), out.addr, bytes)?;
        }
        Ok(bytes.len()).done()
    }

    /// The file's contents or owner changed: its capabilities go.
    pub(crate) fn drop_file_caps(inode: &Inode) {
        if let Some(extra) = inode.extra.get() {
            let _ = extra.xattrs.borrow_mut().remove(FILE_CAPS);
        }
    }
}
