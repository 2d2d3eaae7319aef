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
    /// Root slots that hold second-level CNodes.
    nodes: Vec<u64>,
}

/// Root slots of the plan that hold second-level CNodes: the domain's own CNodes, and its reply CNode.
const PLAN_NODES: [u64; 2] = [4, 5];
/// Bits of an address that lead to a slot of the root CNode: all but those of a second-level CNode.
const ROOT_DEPTH: u8 = 52;

impl SlotPool {
    /// Over the root CNode's free slots, by index.
    pub fn new(first: u64, end: u64) -> Self {
        SlotPool {
            inner: RefCell::new(Pool {
                free: Vec::new(),
                root: (first, end),
                node: (0, 0),
                nodes: PLAN_NODES.to_vec(),
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
        pool.nodes.push(cptr >> 12);
    }

    fn alloc_root(&self) -> Option<u64> {
        let mut pool = self.inner.borrow_mut();
        let (first, end) = pool.root;
        (first < end).then(|| {
            pool.root.1 -= 1;
            (end - 1) << 12
        })
    }

    fn locate(&self, cptr: u64) -> (u64, u8) {
        if self.inner.borrow().nodes.contains(&(cptr >> 12)) {
            (cptr, 64)
        } else {
            (cptr >> 12, ROOT_DEPTH)
        }
    }
}
