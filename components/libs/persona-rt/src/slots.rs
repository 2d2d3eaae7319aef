//! Empty slots of the domain's two-level CSpace (docs/architecture.md, "CSpaces").

use alloc::vec::Vec;
use core::cell::RefCell;

use persona_component::SlotSource;

/// Slots of a second-level CNode.
const NODE_SLOTS: u64 = 1 << 12;

/// Hands out slots: freed ones first, then fresh ones of the root CNode and of added nodes.
pub struct SlotPool {
    inner: RefCell<Pool>,
}

struct Pool {
    free: Vec<u64>,
    root: (u64, u64),
    node: (u64, u64),
}

impl SlotPool {
    /// Over the root CNode's free slots, by index.
    pub fn new(first: u64, end: u64) -> Self {
        SlotPool {
            inner: RefCell::new(Pool {
                free: Vec::new(),
                root: (first, end),
                node: (0, 0),
            }),
        }
    }
}

impl SlotSource for SlotPool {
    fn alloc(&self) -> Option<u64> {
        let mut pool = self.inner.borrow_mut();
        if let Some(cptr) = pool.free.pop() {
            return Some(cptr);
        }
        if pool.node.0 < pool.node.1 {
            pool.node.0 += 1;
            return Some(pool.node.0 - 1);
        }
        let (first, end) = pool.root;
        (first < end).then(|| {
            pool.root.0 += 1;
            first << 12
        })
    }

    fn free(&self, cptr: u64) {
        self.inner.borrow_mut().free.push(cptr);
    }

    fn add_node(&self, cptr: u64) {
        let mut pool = self.inner.borrow_mut();
        let (first, end) = pool.node;
        pool.free.extend(first..end);
        pool.node = (cptr, cptr + NODE_SLOTS);
    }

    fn alloc_root(&self) -> Option<u64> {
        let mut pool = self.inner.borrow_mut();
        let (first, end) = pool.root;
        (first < end).then(|| {
            pool.root.1 -= 1;
            (end - 1) << 12
        })
    }
}
