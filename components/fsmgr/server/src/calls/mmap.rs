//! mmap(2).

use console_api::Console;
use lsyscall_abi::consts::seals::{F_SEAL_FUTURE_WRITE, F_SEAL_WRITE};
use lsyscall_abi::{Errno, MapFlags, MountFlags, ProtFlags};
use lsyscall_router::{Caller, Done, SysResult};
use memmgr_api::{
    MapRequest, Memory, Placement, Space, PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE, USER_TOP,
};

use crate::file::Object;
use crate::FsMgr;

/// MAP_SHARED_VALIDATE.
const SHARED_VALIDATE: u32 = 3;
/// Flags that MAP_SHARED_VALIDATE accepts.
const VALIDATED: MapFlags = MapFlags::SHARED
    .union(MapFlags::PRIVATE)
    .union(MapFlags::FIXED)
    .union(MapFlags::ANONYMOUS)
    .union(MapFlags::GROWSDOWN)
    .union(MapFlags::DENYWRITE)
    .union(MapFlags::EXECUTABLE)
    .union(MapFlags::LOCKED)
    .union(MapFlags::NORESERVE)
    .union(MapFlags::POPULATE)
    .union(MapFlags::NONBLOCK)
    .union(MapFlags::STACK)
    .union(MapFlags::FIXED_NOREPLACE);

impl<M: Memory, C: Console> FsMgr<M, C> {
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn mmap_call(
        &mut self,
        c: &Caller,
        addr: u64,
        length: usize,
        prot: ProtFlags,
        flags: MapFlags,
        fd: i32,
        offset: i64,
    ) -> SysResult {
        let offset = offset as u64;
        if !offset.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        let anonymous = flags.contains(MapFlags::ANONYMOUS);
        let file = if anonymous {
            None
        } else {
            let file = self.file(c, fd)?;
            file.not_path_only()?;
            Some(file)
        };
        let shared = match flags.bits() & MapFlags::TYPE {
            1 => true,
            SHARED_VALIDATE => {
                if !VALIDATED.contains(flags) {
                    return Err(Errno::EOPNOTSUPP);
                }
                true
            }
            2 => false,
            _ => return Err(Errno::EINVAL),
        };
        if length == 0 || flags.contains(MapFlags::HUGETLB) {
            return Err(Errno::EINVAL);
        }
        let len = (length as u64)
            .checked_next_multiple_of(PAGE_SIZE)
            .filter(|len| *len <= USER_TOP)
            .ok_or(Errno::ENOMEM)?;
        offset.checked_add(len).ok_or(Errno::EOVERFLOW)?;
        let fixed = flags.intersects(MapFlags::FIXED | MapFlags::FIXED_NOREPLACE);
        if fixed && !addr.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        let wanted = prot.bits() & (PROT_READ | PROT_WRITE | PROT_EXEC) as u32;
        let mut request = MapRequest {
            addr: if fixed { addr } else { addr & !(PAGE_SIZE - 1) },
            placement: if flags.contains(MapFlags::FIXED_NOREPLACE) {
                Placement::FixedNoReplace
            } else if fixed {
                Placement::Fixed
            } else {
                Placement::Hint
            },
            shared,
            grows_down: flags.contains(MapFlags::GROWSDOWN),
            locked: flags.contains(MapFlags::LOCKED),
            noreserve: flags.contains(MapFlags::NORESERVE),
            populate: flags.intersects(MapFlags::POPULATE | MapFlags::LOCKED)
                && !flags.contains(MapFlags::NONBLOCK),
            ..MapRequest::anonymous(len, wanted as u8)
        };
        let space = Space::Thread(c.thread);
        let Some(file) = file else {
            if !shared {
                return self.mem.map(space, request).done();
            }
            let vmo = self.mem.vmo_create(len)?;
            request.vmo = Some(vmo);
            request.off = 0;
            let mapped = self.mem.map(space, request);
            let _ = self.mem.vmo_drop(vmo);
            return mapped.done();
        };
        if !file.reads() {
            return Err(Errno::EACCES);
        }
        if wanted & u32::from(PROT_EXEC) != 0 && file.path.mount.has(MountFlags::NOEXEC) {
            return Err(Errno::EPERM);
        }
        if request.grows_down {
            return Err(Errno::EINVAL);
        }
        match file.object {
            Object::Regular => {}
            // A private mapping of /dev/zero is anonymous memory, a shared one shared anonymous memory.
            Object::Zero => {
                let vmo = if shared {
                    Some(self.mem.vmo_create(len)?)
                } else {
                    None
                };
                request.vmo = vmo;
                let mapped = self.mem.map(space, request);
                if let Some(vmo) = vmo {
                    let _ = self.mem.vmo_drop(vmo);
                }
                return mapped.done();
            }
            _ => return Err(Errno::ENODEV),
        }
        let inode = file.inode();
        let data = inode.data().ok_or(Errno::ENODEV)?;
        if shared {
            let sealed = data.seals.get() & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) != 0;
            let writes = wanted & u32::from(PROT_WRITE) != 0;
            if writes && !file.writes() {
                return Err(Errno::EACCES);
            }
            if writes && sealed {
                return Err(Errno::EPERM);
            }
            if !file.writes() || sealed {
                request.max_prot &= !PROT_WRITE;
            } else {
                data.mapped_writable.set(true);
            }
        }
        if file.path.mount.has(MountFlags::NOEXEC) {
            request.max_prot &= !PROT_EXEC;
        }
        request.vmo = Some(self.contents(inode)?);
        request.off = offset;
        request.tag = inode.ino;
        self.remember_mapping(&file.path);
        self.accessed(&file);
        self.mem.map(space, request).done()
    }
}
