//! Random programs against a model of what Linux would show them.

use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use memmgr_api::{MemMgrService, Vmo};

const AREA: u64 = 0x1000_0000;
const PAGES: u64 = 24;
const THREADS: u16 = 3;
const FILE_PAGES: u64 = 6;

#[derive(Clone, Debug)]
enum Op {
    Map {
        page: u64,
        len: u64,
        prot: u8,
        file: Option<u64>,
        shared: bool,
    },
    Unmap {
        page: u64,
        len: u64,
    },
    Protect {
        page: u64,
        len: u64,
        prot: u8,
    },
    Store {
        page: u64,
        byte: u8,
        copy: bool,
    },
    Load {
        page: u64,
        copy: bool,
    },
    Fork {
        to: u16,
    },
    Exec,
    DontNeed {
        page: u64,
        len: u64,
    },
    Remap {
        page: u64,
        to: u64,
        len: u64,
    },
    Resize {
        pages: u64,
    },
    Write {
        page: u64,
        byte: u8,
    },
    Punch {
        page: u64,
        len: u64,
    },
}

fn op() -> impl Strategy<Value = (u16, Op)> {
    let page = 0..PAGES;
    let len = 1..6u64;
    let prot = prop_oneof![Just(0u8), Just(1), Just(3), Just(3), Just(3)];
    let file = prop_oneof![Just(None), (0..FILE_PAGES).prop_map(Some)];
    let kind = prop_oneof![
        4 => (page.clone(), len.clone(), prot.clone(), file, any::<bool>())
            .prop_map(|(page, len, prot, file, shared)| Op::Map { page, len, prot, file, shared }),
        2 => (page.clone(), len.clone()).prop_map(|(page, len)| Op::Unmap { page, len }),
        2 => (page.clone(), len.clone(), prot).prop_map(|(page, len, prot)| Op::Protect { page, len, prot }),
        8 => (page.clone(), any::<u8>(), any::<bool>()).prop_map(|(page, byte, copy)| Op::Store { page, byte, copy }),
        8 => (page.clone(), any::<bool>()).prop_map(|(page, copy)| Op::Load { page, copy }),
        2 => (0..THREADS).prop_map(|to| Op::Fork { to }),
        1 => Just(Op::Exec),
        1 => (page.clone(), len.clone()).prop_map(|(page, len)| Op::DontNeed { page, len }),
        1 => (page.clone(), page.clone(), len.clone()).prop_map(|(page, to, len)| Op::Remap { page, to, len }),
        1 => (0..=FILE_PAGES).prop_map(|pages| Op::Resize { pages }),
        2 => (0..FILE_PAGES, any::<u8>()).prop_map(|(page, byte)| Op::Write { page, byte }),
        1 => (0..FILE_PAGES, len).prop_map(|(page, len)| Op::Punch { page, len }),
    ];
    (0..THREADS, kind)
}

/// Where a page's byte is. Anonymous shared memory is shared by those who hold the same cell.
#[derive(Clone)]
enum Backing {
    Private(u8),
    /// A page of the file, and the program's own byte once it has written.
    File {
        page: u64,
        own: Option<u8>,
        shared: bool,
    },
    Shared(Rc<Cell<u8>>),
}

#[derive(Clone)]
struct Page {
    prot: u8,
    backing: Backing,
}

#[derive(Clone, Default)]
struct Model {
    spaces: [Option<BTreeMap<u64, Page>>; THREADS as usize],
    file: Vec<u8>,
}

impl Model {
    fn access(&mut self, thread: u16, page: u64, write: Option<u8>) -> Result<u8, FaultKind> {
        let file = &mut self.file;
        let space = self.spaces[thread as usize].as_mut().unwrap();
        let p = space.get_mut(&page).ok_or(FaultKind::NotMapped)?;
        let needed = if write.is_some() {
            PROT_WRITE
        } else {
            PROT_READ
        };
        if p.prot & needed == 0 {
            return Err(FaultKind::NotAllowed);
        }
        match &mut p.backing {
            Backing::Private(byte) => {
                let old = *byte;
                *byte = write.unwrap_or(old);
                Ok(old)
            }
            Backing::Shared(cell) => {
                let old = cell.get();
                cell.set(write.unwrap_or(old));
                Ok(old)
            }
            Backing::File { own: Some(own), .. } => {
                let old = *own;
                *own = write.unwrap_or(old);
                Ok(old)
            }
            Backing::File { page, own, shared } => {
                let byte = file.get_mut(*page as usize).ok_or(FaultKind::BeyondEnd)?;
                let old = *byte;
                match write {
                    Some(new) if *shared => *byte = new,
                    Some(new) => *own = Some(new),
                    None => {}
                }
                Ok(old)
            }
        }
    }

    fn fork(&mut self, from: u16, to: u16) {
        self.spaces[to as usize] = self.spaces[from as usize].clone();
    }

    fn resize(&mut self, pages: u64) {
        self.file.resize(pages as usize, 0);
        for space in self.spaces.iter_mut().flatten() {
            for p in space.values_mut() {
                match &mut p.backing {
                    Backing::File { page, own, .. } if *page >= pages => *own = None,
                    _ => {}
                }
            }
        }
    }
}

struct Run {
    w: World,
    model: Model,
    vmo: Vmo,
}

impl Run {
    fn new() -> Run {
        let mut w = World::new(600);
        let vmo = w.m.vmo_create(0).unwrap();
        let mut model = Model::default();
        for thread in 0..THREADS {
            w.program(thread);
            model.spaces[thread as usize] = Some(BTreeMap::new());
        }
        let mut run = Run { w, model, vmo };
        run.resize(FILE_PAGES / 2);
        run
    }

    fn resize(&mut self, pages: u64) {
        self.w.m.vmo_resize(self.vmo, pages * P).unwrap();
        self.model.resize(pages);
    }

    fn space(&mut self, thread: u16) -> &mut BTreeMap<u64, Page> {
        self.model.spaces[thread as usize].as_mut().unwrap()
    }

    fn check(&mut self, thread: u16, page: u64, write: Option<u8>, copy: bool) {
        let addr = AREA + page * P + 8;
        let expected = self.model.access(thread, page, write);
        if !copy {
            assert_eq!(self.w.access(thread, addr, write), expected);
            return;
        }
        let result = match write {
            Some(byte) => self
                .w
                .poke(thread, addr, &[byte])
                .map(|_| expected.unwrap_or(0)),
            None => self.w.peek(thread, addr, 1).map(|bytes| bytes[0]),
        };
        assert_eq!(result, expected.map_err(|_| Errno::EFAULT));
    }

    fn step(&mut self, thread: u16, op: &Op) {
        let addr = |page: u64| AREA + page * P;
        match *op {
            Op::Map {
                page,
                len,
                prot,
                file,
                shared,
            } => {
                let len = len.min(PAGES - page);
                let request = MapRequest {
                    vmo: file.map(|_| self.vmo),
                    off: file.unwrap_or(0) * P,
                    shared,
                    ..MapRequest::anonymous(len * P, prot)
                };
                assert_eq!(
                    self.w.map_fixed(thread, addr(page), request),
                    Ok(addr(page))
                );
                for n in 0..len {
                    let backing = match (file, shared) {
                        (Some(first), _) => Backing::File {
                            page: first + n,
                            own: None,
                            shared,
                        },
                        (None, true) => Backing::Shared(Rc::default()),
                        (None, false) => Backing::Private(0),
                    };
                    self.space(thread).insert(page + n, Page { prot, backing });
                }
            }
            Op::Unmap { page, len } => {
                assert_eq!(self.w.sys(thread, 215, &[addr(page), len * P]), Ok(0));
                self.space(thread)
                    .retain(|&p, _| p < page || p >= page + len);
            }
            Op::Protect { page, len, prot } => {
                let result = self
                    .w
                    .sys(thread, 226, &[addr(page), len * P, u64::from(prot)]);
                for n in page..page + len {
                    match self.space(thread).get_mut(&n) {
                        Some(p) => p.prot = prot,
                        None => {
                            assert_eq!(result, Err(Errno::ENOMEM));
                            return;
                        }
                    }
                }
                assert_eq!(result, Ok(0));
            }
            Op::Store { page, byte, copy } => self.check(thread, page, Some(byte), copy),
            Op::Load { page, copy } => self.check(thread, page, None, copy),
            Op::Fork { to } if to != thread => {
                let mm = Mm(self.w.m.thread(ThreadIdx(thread)).space);
                let (child, _) = self.w.m.mm_fork(mm).unwrap();
                self.w.m.attach(ThreadIdx(to), child).unwrap();
                self.w.m.mm_drop(child).unwrap();
                self.model.fork(thread, to);
            }
            Op::Fork { .. } => {}
            Op::Exec => {
                self.w.m.detach(ThreadIdx(thread)).unwrap();
                self.w.program(thread);
                self.space(thread).clear();
            }
            Op::DontNeed { page, len } => {
                let _ = self.w.sys(thread, 233, &[addr(page), len * P, 4]);
                for n in page..page + len {
                    if let Some(p) = self.space(thread).get_mut(&n) {
                        match &mut p.backing {
                            Backing::Private(byte) => *byte = 0,
                            Backing::File { own, .. } => *own = None,
                            Backing::Shared(_) => {}
                        }
                    }
                }
            }
            Op::Remap { page, to, len } => {
                let len = len.min(PAGES - page).min(PAGES - to);
                let args = [addr(page), len * P, len * P, 3, addr(to)];
                if self.w.sys(thread, 216, &args).is_ok() {
                    let space = self.space(thread);
                    let moved: Vec<Page> = (0..len)
                        .map(|n| space.remove(&(page + n)).unwrap())
                        .collect();
                    for (n, p) in moved.into_iter().enumerate() {
                        space.insert(to + n as u64, p);
                    }
                } else {
                    // Over itself, or not one mapping: FIXED unmaps the target only after these checks.
                }
            }
            Op::Resize { pages } => self.resize(pages),
            Op::Write { page, byte } => {
                self.w.m.write_vmo(self.vmo, page * P + 8, &[byte]).unwrap();
                if self.model.file.len() as u64 <= page {
                    self.w.m.vmo_resize(self.vmo, (page + 1) * P).unwrap();
                    self.model.file.resize(page as usize + 1, 0);
                }
                self.model.file[page as usize] = byte;
            }
            Op::Punch { page, len } => {
                self.w.m.vmo_zero(self.vmo, page * P, len * P).unwrap();
                let end = (page + len).min(self.model.file.len() as u64);
                for n in page..end {
                    self.model.file[n as usize] = 0;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn programs_see_what_linux_would_show(ops in proptest::collection::vec(op(), 1..120)) {
        let mut run = Run::new();
        for (thread, op) in &ops {
            run.step(*thread, op);
            run.w.audit();
        }
        for thread in 0..THREADS {
            for page in 0..PAGES {
                run.check(thread, page, None, page % 2 == 0);
            }
            run.w.m.detach(ThreadIdx(thread)).unwrap();
            run.w.audit();
        }
        run.w.m.vmo_drop(run.vmo).unwrap();
        let stats = run.w.m.stats().unwrap();
        prop_assert_eq!((stats.anonymous, stats.objects, stats.spaces), (0, 3 * P, 0));
    }
}
