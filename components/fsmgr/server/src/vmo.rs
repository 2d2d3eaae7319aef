//! Ownership of memory objects.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use memmgr_api::Vmo;

/// Objects nobody refers to any more, to be given back to the memory manager at the end of the entry.
#[derive(Default)]
pub struct Graveyard(RefCell<Vec<Vmo>>);

impl Graveyard {
    /// The next object to give back.
    pub fn pop(&self) -> Option<Vmo> {
        self.0.borrow_mut().pop()
    }
}

/// One reference to a memory object.
pub struct VmoRef {
    vmo: Vmo,
    graveyard: Rc<Graveyard>,
}

impl VmoRef {
    /// Takes over a reference that the memory manager gave.
    pub fn new(vmo: Vmo, graveyard: &Rc<Graveyard>) -> Self {
        VmoRef {
            vmo,
            graveyard: Rc::clone(graveyard),
        }
    }

    /// The object.
    pub fn id(&self) -> Vmo {
        self.vmo
    }
}

impl Drop for VmoRef {
    fn drop(&mut self) {
        self.graveyard.0.borrow_mut().push(self.vmo);
    }
}
