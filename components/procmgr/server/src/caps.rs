//! Capabilities (capabilities(7)): the sets, and what changes of user ids and exec make of them.

use lsyscall_abi::consts::cap::*;
use lsyscall_abi::Errno;

/// Capabilities there are.
pub const COUNT: u32 = CAP_CHECKPOINT_RESTORE + 1;
/// All of them.
pub const ALL: u64 = (1 << COUNT) - 1;
/// Those that go with the file-system user id.
const FILES: u64 = 1 << CAP_CHOWN
    | 1 << CAP_MKNOD
    | 1 << CAP_DAC_OVERRIDE
    | 1 << CAP_DAC_READ_SEARCH
    | 1 << CAP_FOWNER
    | 1 << CAP_FSETID
    | 1 << CAP_LINUX_IMMUTABLE
    | 1 << CAP_MAC_OVERRIDE;

/// Root gets nothing at exec.
pub const SECURE_NOROOT: u32 = 1;
/// Changes of user ids change no capabilities.
pub const SECURE_NO_SETUID_FIXUP: u32 = 4;
/// Permitted capabilities stay when all user ids become non-zero.
pub const SECURE_KEEP_CAPS: u32 = 16;
/// [`SECURE_KEEP_CAPS`] cannot be changed.
const SECURE_KEEP_CAPS_LOCKED: u32 = 32;
/// Ambient capabilities cannot be raised.
const SECURE_NO_CAP_AMBIENT_RAISE: u32 = 64;
/// All bits, and those of them that lock another.
const SECURE_BITS: u32 = 0xff;
const SECURE_LOCKS: u32 = 0xaa;

/// The sets of a process, as bits by capability number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// What it may make effective.
    pub permitted: u64,
    /// What is checked.
    pub effective: u64,
    /// What exec of a file with capabilities may keep.
    pub inheritable: u64,
    /// What exec can give at most.
    pub bounding: u64,
    /// What exec of an ordinary file keeps.
    pub ambient: u64,
    /// SECBIT_*.
    pub secure: u32,
}

impl Caps {
    /// Root's.
    pub const ROOT: Caps = Caps {
        permitted: ALL,
        effective: ALL,
        inheritable: 0,
        bounding: ALL,
        ambient: 0,
        secure: 0,
    };

    /// Whether a capability (its bit number) is effective.
    pub fn has(&self, cap: u32) -> bool {
        self.effective >> cap & 1 != 0
    }

    /// The user ids (real, effective, saved) have been changed.
    pub fn ids_changed(&mut self, old: &[u32; 4], new: &[u32; 4]) {
        if self.secure & SECURE_NO_SETUID_FIXUP != 0 {
            return;
        }
        if old[..3].contains(&0) && !new[..3].contains(&0) {
            if self.secure & SECURE_KEEP_CAPS == 0 {
                self.permitted = 0;
                self.effective = 0;
            }
            self.ambient = 0;
        }
        if old[1] == 0 && new[1] != 0 {
            self.effective = 0;
        }
        if old[1] != 0 && new[1] == 0 {
            self.effective = self.permitted;
        }
    }

    /// The file-system user id has been changed.
    pub fn fs_id_changed(&mut self, old: u32, new: u32) {
        if self.secure & SECURE_NO_SETUID_FIXUP != 0 {
            return;
        }
        if old == 0 && new != 0 {
            self.effective &= !FILES;
        }
        if old != 0 && new == 0 {
            self.effective |= self.permitted & FILES;
        }
    }

    /// A program is executed with these real and effective user ids; `set_id`: its file changed an id.
    pub fn executed(&mut self, real: u32, effective: u32, set_id: bool) {
        if set_id {
            self.ambient = 0;
        }
        self.permitted = self.ambient;
        self.effective = self.ambient;
        if self.secure & SECURE_NOROOT == 0 {
            if real == 0 || effective == 0 {
                self.permitted |= self.bounding | self.inheritable;
            }
            if effective == 0 {
                self.effective = self.permitted;
            }
        }
        self.secure &= !SECURE_KEEP_CAPS;
    }

    /// capset(2). `EPERM`.
    pub fn set(&mut self, effective: u64, permitted: u64, inheritable: u64) -> Result<(), Errno> {
        let free = self.has(CAP_SETPCAP);
        let known = self.inheritable | self.permitted;
        if (!free && inheritable & !known != 0)
            || inheritable & !(self.inheritable | self.bounding) != 0
            || permitted & !self.permitted != 0
            || effective & !permitted != 0
        {
            return Err(Errno::EPERM);
        }
        self.effective = effective;
        self.permitted = permitted;
        self.inheritable = inheritable;
        self.ambient &= permitted & inheritable;
        Ok(())
    }

    /// PR_CAPBSET_DROP. `EPERM`, `EINVAL`.
    pub fn drop_bound(&mut self, cap: u64) -> Result<(), Errno> {
        if !self.has(CAP_SETPCAP) {
            return Err(Errno::EPERM);
        }
        self.bounding &= !bit(cap)?;
        Ok(())
    }

    /// PR_CAP_AMBIENT; the result of the call. `EPERM`, `EINVAL`.
    pub fn ambient(&mut self, operation: u64, cap: u64) -> Result<i32, Errno> {
        const IS_SET: u64 = 1;
        const RAISE: u64 = 2;
        const LOWER: u64 = 3;
        const CLEAR_ALL: u64 = 4;
        if operation == CLEAR_ALL {
            if cap != 0 {
                return Err(Errno::EINVAL);
            }
            self.ambient = 0;
            return Ok(0);
        }
        let bit = bit(cap)?;
        match operation {
            IS_SET => return Ok(i32::from(self.ambient & bit != 0)),
            RAISE => {
                let may = self.permitted & self.inheritable & bit != 0;
                if !may || self.secure & SECURE_NO_CAP_AMBIENT_RAISE != 0 {
                    return Err(Errno::EPERM);
                }
                self.ambient |= bit;
            }
            LOWER => self.ambient &= !bit,
            _ => return Err(Errno::EINVAL),
        }
        Ok(0)
    }

    /// PR_SET_SECUREBITS. `EPERM`.
    pub fn set_secure(&mut self, bits: u64) -> Result<(), Errno> {
        let bits = u32::try_from(bits).map_err(|_| Errno::EPERM)?;
        let locks = self.secure & SECURE_LOCKS;
        let locked = locks | locks >> 1;
        if (self.secure ^ bits) & locked != 0 || bits & !SECURE_BITS != 0 || !self.has(CAP_SETPCAP)
        {
            return Err(Errno::EPERM);
        }
        self.secure = bits;
        Ok(())
    }

    /// PR_SET_KEEPCAPS. `EPERM`, `EINVAL`.
    pub fn set_keep(&mut self, on: u64) -> Result<(), Errno> {
        if on > 1 {
            return Err(Errno::EINVAL);
        }
        if self.secure & SECURE_KEEP_CAPS_LOCKED != 0 {
            return Err(Errno::EPERM);
        }
        self.secure &= !SECURE_KEEP_CAPS;
        if on == 1 {
            self.secure |= SECURE_KEEP_CAPS;
        }
        Ok(())
    }
}

/// The bit of a capability's number. `EINVAL` if there is no such capability.
pub fn bit(cap: u64) -> Result<u64, Errno> {
    if cap < u64::from(COUNT) {
        Ok(1 << cap)
    } else {
        Err(Errno::EINVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_take_and_give() {
        let mut caps = Caps::ROOT;
        caps.ids_changed(&[0; 4], &[0, 5, 0, 5]);
        assert_eq!((caps.effective, caps.permitted), (0, ALL));
        caps.ids_changed(&[0, 5, 0, 5], &[0; 4]);
        assert_eq!(caps.effective, ALL);
        caps.fs_id_changed(0, 5);
        assert!(!caps.has(CAP_CHOWN) && caps.has(CAP_KILL));
        caps.fs_id_changed(5, 0);
        assert_eq!(caps.effective, ALL);
        let mut kept = caps;
        kept.set_keep(1).unwrap();
        kept.ids_changed(&[0; 4], &[5; 4]);
        assert_eq!((kept.effective, kept.permitted), (0, ALL));
        caps.ids_changed(&[0; 4], &[5; 4]);
        assert_eq!((caps.effective, caps.permitted), (0, 0));
    }

    #[test]
    fn exec_keeps_what_is_ambient() {
        let mut caps = Caps::ROOT;
        caps.set(ALL, ALL, 1 << CAP_KILL).unwrap();
        assert_eq!(caps.ambient(2, CAP_CHOWN.into()), Err(Errno::EPERM));
        assert_eq!(caps.ambient(2, CAP_KILL.into()), Ok(0));
        assert_eq!(caps.ambient(1, CAP_KILL.into()), Ok(1));
        let mut plain = caps;
        plain.executed(5, 5, false);
        assert_eq!(plain.effective, 1 << CAP_KILL);
        let mut set_id = caps;
        set_id.executed(5, 6, true);
        assert_eq!(set_id.permitted, 0);
        set_id.executed(5, 0, true);
        assert_eq!(set_id.effective, ALL);
        caps.drop_bound(CAP_KILL.into()).unwrap();
        caps.set(ALL, ALL, 0).unwrap();
        caps.executed(0, 0, false);
        assert_eq!(caps.effective, ALL & !(1 << CAP_KILL));
    }

    #[test]
    fn sets_only_shrink() {
        let mut caps = Caps::ROOT;
        assert_eq!(caps.set(2, 1, 0), Err(Errno::EPERM));
        caps.set(1, 3, 0).unwrap();
        assert_eq!(caps.set(1, 7, 0), Err(Errno::EPERM));
        assert_eq!(caps.set(1, 3, 4), Err(Errno::EPERM));
        caps.set(1, 3, 2).unwrap();
        assert_eq!(caps.drop_bound(1), Err(Errno::EPERM));
        assert_eq!(caps.set_secure(1), Err(Errno::EPERM));
        let mut root = Caps::ROOT;
        root.set_secure(3).unwrap();
        assert_eq!(root.set_secure(2), Err(Errno::EPERM));
        assert_eq!(root.set_secure(0x100), Err(Errno::EPERM));
        root.set_secure(0x33).unwrap();
        assert_eq!(root.set_keep(0), Err(Errno::EPERM));
    }
}
