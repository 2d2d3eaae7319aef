//! Memory policies (set_mempolicy(2), mbind(2)) on the one node there is: checked, kept for the thread, without effect.

use lsyscall_abi::Errno;
use lsyscall_router::{Caller, Done, SysResult, OK};
use memmgr_api::PAGE_SIZE;

use crate::machine::Machine;
use crate::maps::user_range;
use crate::server::Server;

/// Modes (MPOL_*).
const DEFAULT: i32 = 0;
const PREFERRED: i32 = 1;
const BIND: i32 = 2;
const LOCAL: i32 = 4;
const LAST: i32 = 5;
/// Flags of a mode.
const STATIC_NODES: i32 = 1 << 15;
const RELATIVE_NODES: i32 = 1 << 14;
const NUMA_BALANCING: i32 = 1 << 13;
/// Flags of get_mempolicy.
const OF_NODE: u64 = 1;
const OF_ADDR: u64 = 2;
const MEMS_ALLOWED: u64 = 4;
/// Flags of mbind (MPOL_MF_STRICT, MPOL_MF_MOVE, MPOL_MF_MOVE_ALL).
const MF_VALID: u32 = 7;
/// Bits a node mask may have.
const MAX_BITS: u64 = PAGE_SIZE * 8;

impl<M: Machine> Server<M> {
    /// Whether a mask names node 0; `EINVAL` if it names another one.
    fn names_node(&mut self, c: &Caller, mask: u64, bits: u64) -> Result<bool, Errno> {
        // Linux takes one bit less than it is told.
        let Some(bits) = bits.checked_sub(1).filter(|bits| *bits > 0) else {
            return Ok(false);
        };
        if mask == 0 {
            return Ok(false);
        }
        if bits > MAX_BITS {
            return Err(Errno::EINVAL);
        }
        let mut first = 0;
        for index in 0..bits.div_ceil(64) {
            let (core, space) = self.own(c)?;
            let mut word = core.read_user_u64(space, mask.wrapping_add(index * 8))?;
            let left = bits - index * 64;
            if left < 64 {
                word &= (1 << left) - 1;
            }
            if index == 0 {
                first = word;
            }
            if index > 0 && word != 0 {
                return Err(Errno::EINVAL);
            }
        }
        // Nodes that Linux could have but that are not there leave an empty mask.
        Ok(first & 1 != 0)
    }

    /// Whether mode and nodes make sense together; the mode that is kept.
    fn check_policy(&mut self, c: &Caller, mode: i32, mask: u64, bits: u64) -> Result<i32, Errno> {
        let plain = mode & !(STATIC_NODES | RELATIVE_NODES | NUMA_BALANCING);
        let both = mode & STATIC_NODES != 0 && mode & RELATIVE_NODES != 0;
        let balanced = mode & NUMA_BALANCING != 0 && plain != BIND;
        if !(DEFAULT..=LAST).contains(&plain) || both || balanced {
            return Err(Errno::EINVAL);
        }
        let named = self.names_node(c, mask, bits)?;
        let flags = mode != plain;
        match plain {
            DEFAULT if named || flags => Err(Errno::EINVAL),
            LOCAL if named || flags => Err(Errno::EINVAL),
            PREFERRED if !named && flags => Err(Errno::EINVAL),
            PREFERRED if !named => Ok(LOCAL),
            DEFAULT | LOCAL | PREFERRED => Ok(mode),
            _ if !named => Err(Errno::EINVAL),
            _ => Ok(mode),
        }
    }

    /// set_mempolicy(2).
    pub(crate) fn set_policy(&mut self, c: &Caller, mode: i32, mask: u64, bits: u64) -> SysResult {
        let mode = self.check_policy(c, mode, mask, bits)?;
        self.thread_mut(c.thread).policy = mode;
        OK
    }

    /// mbind(2).
    pub(crate) fn bind_range(
        &mut self,
        c: &Caller,
        (addr, len): (u64, u64),
        mode: i32,
        mask: u64,
        bits: u64,
        flags: u32,
    ) -> SysResult {
        if flags & !MF_VALID != 0 || !addr.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        let (start, end) = user_range(addr, len)?;
        if start == end {
            return OK;
        }
        self.check_policy(c, mode, mask, bits)?;
        let (_, space) = self.own(c)?;
        match space.vmas.is_covered(start, end) {
            true => OK,
            false => Err(Errno::EFAULT),
        }
    }

    /// get_mempolicy(2).
    pub(crate) fn get_policy(
        &mut self,
        c: &Caller,
        mode: u64,
        (mask, bits): (u64, u64),
        addr: u64,
        flags: u64,
    ) -> SysResult {
        // The mask must have room for every node.
        if mask != 0 && bits < 1 || flags & !(OF_NODE | OF_ADDR | MEMS_ALLOWED) != 0 {
            return Err(Errno::EINVAL);
        }
        let kept = self.thread(c.thread).policy;
        let mut shown = kept;
        let mut nodes = u64::from(!matches!(kept, DEFAULT | LOCAL));
        if flags & MEMS_ALLOWED != 0 {
            if flags & (OF_NODE | OF_ADDR) != 0 {
                return Err(Errno::EINVAL);
            }
            (shown, nodes) = (0, 1);
        } else if flags & OF_ADDR != 0 {
            let (_, space) = self.own(c)?;
            space.vmas.find(addr).ok_or(Errno::EFAULT)?;
            (shown, nodes) = (DEFAULT, 0);
        } else if addr != 0 || flags & OF_NODE != 0 {
            return Err(Errno::EINVAL);
        }
        let (core, space) = self.own(c)?;
        if mode != 0 {
            core.put_user(space, mode, &shown.to_le_bytes())?;
        }
        if mask != 0 {
            let words = bits.min(MAX_BITS).div_ceil(64);
            for index in 0..words {
                let word = if index == 0 { nodes } else { 0 };
                core.put_user(space, mask.wrapping_add(index * 8), &word.to_le_bytes())?;
            }
        }
        Ok(0).done()
    }
}
