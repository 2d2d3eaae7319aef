//! The interfaces of the components below, on the [`World`](super::world::World).

use console_api::{Console, ConsoleInput};
use fsmgr_api::{Creds, ExecFile, FsEvent, FsMgr, PidFdInfo, SignalWish, TakenSignal};
use lsyscall_abi::{Errno, ThreadIdx};
use memmgr_api::{
    MapRequest, MapsEntry, MemEvent, MemMgr, MemStats, Mm, MmStats, Space, UserMemory, Vmo,
    PAGE_SIZE, SHIM_DATA,
};
use persona_ipc::{Bytes, Cap, Chunk};
use timemgr_api::TimeMgr;

use super::world::Fake;

impl FsMgr for Fake {
    fn init_process(&self, t: ThreadIdx, _: u8, _: Bytes) -> Result<(), Errno> {
        self.0.borrow_mut().fs_threads.insert(t.0);
        Ok(())
    }
    fn clone_thread(
        &self,
        parent: ThreadIdx,
        child: ThreadIdx,
        _: bool,
        _: bool,
        _: bool,
    ) -> Result<(), Errno> {
        let mut w = self.0.borrow_mut();
        w.fails("clone_thread")?;
        assert!(w.fs_threads.contains(&parent.0));
        assert!(w.fs_threads.insert(child.0), "a thread fsmgr still knows");
        Ok(())
    }
    fn new_name(&self, _: ThreadIdx) -> Result<Option<(u64, u64)>, Errno> {
        Ok(None)
    }
    fn exit(&self, t: ThreadIdx) -> Result<(), Errno> {
        let mut w = self.0.borrow_mut();
        assert!(
            w.fs_threads.remove(&t.0),
            "exit of a thread fsmgr does not know"
        );
        w.below.remove(&t.0);
        Ok(())
    }
    fn open_exec(&self, t: ThreadIdx, _: i32, path: u64, _: u32) -> Result<ExecFile, Errno> {
        let path = UserMemory::read_cstr(self, Space::Thread(t), path, 4096)?;
        self.open_exec_path(t, Chunk::new(&path))
    }
    fn open_exec_path(&self, _: ThreadIdx, path: Bytes) -> Result<ExecFile, Errno> {
        let mut w = self.0.borrow_mut();
        let at = w
            .files
            .iter()
            .position(|f| f.0.as_bytes() == path.as_slice())
            .ok_or(Errno::ENOENT)?;
        let token = w.number();
        w.tokens.insert(token);
        let (_, contents, mode) = &w.files[at];
        Ok(ExecFile {
            token,
            vmo: Vmo(at as u32),
            size: contents.len() as u64,
            mode: *mode,
            uid: 1234,
            gid: 1234,
            ino: at as u64,
        })
    }
    fn exec_commit(&self, _: ThreadIdx, token: u32) -> Result<(), Errno> {
        assert!(
            self.0.borrow_mut().tokens.remove(&token),
            "token used twice"
        );
        Ok(())
    }
    fn exec_abort(&self, token: u32) -> Result<(), Errno> {
        assert!(
            self.0.borrow_mut().tokens.remove(&token),
            "token used twice"
        );
        Ok(())
    }
    fn set_creds(&self, t: ThreadIdx, creds: Creds) -> Result<(), Errno> {
        self.0.borrow_mut().creds.insert(t.0, creds);
        Ok(())
    }
    fn cancel(&self, t: ThreadIdx) -> Result<Option<i32>, Errno> {
        self.interrupt(t, |e| e != Errno::ERESTART_RESTARTBLOCK)
    }
    fn next_event(&self) -> Result<Option<FsEvent>, Errno> {
        Ok(self.0.borrow_mut().fs_events.pop_front())
    }
    fn session_ended(&self, sid: i32) -> Result<(), Errno> {
        self.0.borrow_mut().sessions.push(sid);
        Ok(())
    }
    fn set_limits(&self, t: ThreadIdx, nofile: u64, _: u64, _: u64) -> Result<(), Errno> {
        self.0.borrow_mut().nofile.insert(t.0, nofile);
        Ok(())
    }
    fn exec_path(&self, _: u32) -> Result<Bytes, Errno> {
        Ok(Chunk::empty())
    }
    fn set_names(&self, _: Bytes, _: Bytes) -> Result<(), Errno> {
        Ok(())
    }
    fn signal_wish(&self, t: ThreadIdx) -> Result<SignalWish, Errno> {
        let w = self.0.borrow();
        Ok(w.wishes.get(&t.0).copied().unwrap_or_default())
    }
    fn signals_pending(&self, t: ThreadIdx, pending: u64) -> Result<(), Errno> {
        self.0.borrow_mut().told.push((t.0, pending));
        Ok(())
    }
    fn give_signal(
        &self,
        t: ThreadIdx,
        signal: Option<TakenSignal>,
        pending: u64,
    ) -> Result<(), Errno> {
        let mut w = self.0.borrow_mut();
        w.told.push((t.0, pending));
        w.given.push(signal.map(|s| (s.signal, s.code)));
        w.wishes.remove(&t.0);
        Ok(())
    }
    fn pidfd_open(&self, _: ThreadIdx, process: PidFdInfo, _: bool) -> Result<i32, Errno> {
        let mut w = self.0.borrow_mut();
        w.fails("pidfd_open")?;
        w.pidfds.push(process);
        Ok(w.pidfds.len() as i32 + 99)
    }
    fn pidfd_of(&self, _: ThreadIdx, fd: i32) -> Result<PidFdInfo, Errno> {
        let w = self.0.borrow();
        let at = usize::try_from(fd - 100).map_err(|_| Errno::EBADF)?;
        w.pidfds.get(at).copied().ok_or(Errno::EBADF)
    }
    fn process_ended(&self, serial: u64) -> Result<(), Errno> {
        self.0.borrow_mut().ended.push(serial);
        Ok(())
    }
    fn take_fd(&self, _: ThreadIdx, _: ThreadIdx, fd: i32) -> Result<i32, Errno> {
        Ok(fd)
    }
    fn close_fd(&self, _: ThreadIdx, _: i32) -> Result<(), Errno> {
        Ok(())
    }
    fn compare(&self, a: ThreadIdx, x: i32, b: ThreadIdx, y: i32, _: u8) -> Result<i32, Errno> {
        Ok(i32::from((a, x) != (b, y)))
    }
    fn unshare(&self, _: ThreadIdx, _: bool, _: bool, _: bool) -> Result<(), Errno> {
        Ok(())
    }
}

impl TimeMgr for Fake {
    fn realtime_offset(&self) -> Result<u64, Errno> {
        Ok(0)
    }
    fn cancel(&self, t: ThreadIdx) -> Result<Option<i32>, Errno> {
        self.interrupt(t, |e| e == Errno::ERESTART_RESTARTBLOCK)
    }
    fn forget(&self, t: ThreadIdx) -> Result<(), Errno> {
        self.0.borrow_mut().forgotten.push(t.0);
        Ok(())
    }
}

impl Console for Fake {
    fn write(&self, data: Bytes) -> Result<u64, Errno> {
        Ok(data.as_slice().len() as u64)
    }
    fn read(&self) -> Result<ConsoleInput, Errno> {
        Err(Errno::EIO)
    }
    fn log(&self, _: u8, _: Bytes) -> Result<(), Errno> {
        Ok(())
    }
    fn trace(&self, _: Bytes) -> Result<(), Errno> {
        Ok(())
    }
    fn exit(&self, reason: u8, status: i32) -> Result<(), Errno> {
        let before = self.0.borrow_mut().exit.replace((reason, status));
        assert_eq!(before, None, "the run ended twice");
        Ok(())
    }
    fn queued(&self) -> Result<u64, Errno> {
        Ok(0)
    }
}

impl UserMemory for Fake {
    fn read_some(&self, from: Space, addr: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        self.0.borrow_mut().read(from, addr, buf)
    }
    fn write_some(&self, to: Space, addr: u64, data: &[u8]) -> Result<usize, Errno> {
        self.0.borrow_mut().write(to, addr, data)
    }
    fn vmo_read(&self, vmo: Vmo, off: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let w = self.0.borrow();
        let contents = &w.files[vmo.0 as usize].1;
        let rest = contents.get(off as usize..).unwrap_or_default();
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
    fn vmo_write(&self, _: Vmo, _: u64, _: &[u8]) -> Result<usize, Errno> {
        unreachable!()
    }
}

/// Methods of memmgr that procmgr does not call.
macro_rules! uncalled {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {
        $(fn $name(&self, $($arg: $ty),*) -> Result<$ret, Errno> {
            $(let _ = $arg;)*
            unreachable!(stringify!($name))
        })*
    };
}

impl MemMgr for Fake {
    fn vmo_fill(&self, _: Vmo, _: u64, _: u64) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    fn mm_create(&self) -> Result<(Mm, Cap), Errno> {
        let mut w = self.0.borrow_mut();
        w.fails("mm_create")?;
        let data = (SHIM_DATA / PAGE_SIZE, vec![0; PAGE_SIZE as usize]);
        Ok(w.new_mm([data].into()))
    }
    fn mm_fork(&self, parent: Mm) -> Result<(Mm, Cap), Errno> {
        let mut w = self.0.borrow_mut();
        w.fails("mm_fork")?;
        let pages = w.mm(Space::Mm(parent))?.pages.clone();
        Ok(w.new_mm(pages))
    }
    fn mm_drop(&self, mm: Mm) -> Result<(), Errno> {
        let mut w = self.0.borrow_mut();
        let space = w.mm(Space::Mm(mm)).expect("an address space dropped twice");
        assert!(space.held, "an address space dropped twice");
        space.held = false;
        w.reap(mm.0);
        Ok(())
    }
    fn attach(&self, t: ThreadIdx, mm: Mm) -> Result<(), Errno> {
        let mut w = self.0.borrow_mut();
        w.fails("attach")?;
        w.mm(Space::Mm(mm))?.attached += 1;
        assert_eq!(w.attached.insert(t.0, mm.0), None, "attached twice");
        Ok(())
    }
    fn detach(&self, t: ThreadIdx) -> Result<(), Errno> {
        let mut w = self.0.borrow_mut();
        w.below.remove(&t.0);
        w.mem_events.retain(|e| e.thread != t);
        if let Some(mm) = w.attached.remove(&t.0) {
            w.mm(Space::Mm(Mm(mm)))?.attached -= 1;
            w.reap(mm);
        }
        Ok(())
    }
    fn map(&self, space: Space, request: MapRequest) -> Result<u64, Errno> {
        let mut w = self.0.borrow_mut();
        w.fails("map")?;
        let addr = if request.addr == 0 {
            0x7000_0000
        } else {
            request.addr
        };
        let contents = request.vmo.map(|vmo| w.files[vmo.0 as usize].1.clone());
        let mm = w.mm(space)?;
        for page in addr / PAGE_SIZE..(addr + request.len).div_ceil(PAGE_SIZE) {
            let mut bytes = vec![0; PAGE_SIZE as usize];
            if let Some(contents) = &contents {
                let off = request.off + page * PAGE_SIZE - addr;
                for (to, from) in bytes.iter_mut().zip(contents.iter().skip(off as usize)) {
                    *to = *from;
                }
            }
            mm.pages.insert(page, bytes);
        }
        Ok(addr)
    }
    fn set_brk(&self, _: Mm, _: u64) -> Result<(), Errno> {
        Ok(())
    }
    fn futex_wake(&self, space: Space, addr: u64, _: u32) -> Result<u32, Errno> {
        let mut w = self.0.borrow_mut();
        let Space::Thread(t) = space else {
            unreachable!()
        };
        let mm = w.attached[&t.0];
        w.wakes.push((mm, addr));
        Ok(1)
    }
    fn robust_exit(&self, _: ThreadIdx, _: u64, _: u32) -> Result<(), Errno> {
        Ok(())
    }
    fn cancel(&self, _: ThreadIdx) -> Result<Option<i32>, Errno> {
        Ok(None)
    }
    fn forget_restart(&self, _: ThreadIdx) -> Result<(), Errno> {
        Ok(())
    }
    fn next_event(&self) -> Result<Option<MemEvent>, Errno> {
        Ok(self.0.borrow_mut().mem_events.pop_front())
    }
    fn stats(&self) -> Result<MemStats, Errno> {
        Ok(MemStats::default())
    }
    fn mm_stats(&self, space: Space) -> Result<MmStats, Errno> {
        let mut w = self.0.borrow_mut();
        let pages = w.mm(space)?.pages.len() as u64;
        Ok(MmStats {
            resident: pages * PAGE_SIZE,
            ..MmStats::default()
        })
    }
    fn mm_counts(&self, _: Space) -> Result<(u64, u64), Errno> {
        Ok((3, 40960))
    }
    fn set_lock_limit(&self, _: Space, _: u64) -> Result<(), Errno> {
        Ok(())
    }
    fn set_limits(&self, _: Space, _: u64, _: u64, _: u64) -> Result<(), Errno> {
        Ok(())
    }
    uncalled! {
        unmap(a: Space, b: u64, c: u64) -> ();
        vmo_create(a: u64) -> Vmo;
        vmo_ref(a: Vmo) -> ();
        vmo_drop(a: Vmo) -> ();
        vmo_resize(a: Vmo, b: u64) -> ();
        vmo_pages(a: Vmo) -> u64;
        vmo_mappings(a: Vmo) -> u64;
        set_overcommit(a: u8, b: u8) -> ();
        promised() -> (u64, u64);
        advise(a: Space, b: u64, c: u64, d: u32) -> ();
        vmo_zero(a: Vmo, b: u64, c: u64) -> ();
        vmo_is_mapped(a: Vmo) -> bool;
        vmo_seek(a: Vmo, b: u64, c: bool) -> Option<u64>;
        vmo_to_user(a: Vmo, b: u64, c: Space, d: u64, e: u64) -> u64;
        user_to_vmo(a: Vmo, b: u64, c: Space, d: u64, e: u64) -> u64;
        vmo_copy(a: Vmo, b: u64, c: Vmo, d: u64, e: u64) -> u64;
        initrd_size() -> u64;
        initrd_vmo(a: u64, b: u64) -> Vmo;
        initrd_read(a: u64, b: u64) -> Chunk;
        initrd_done() -> ();
        maps_after(a: Space, b: u64) -> Option<MapsEntry>;
        alloc_untyped(a: u8) -> Cap;
        fetch(a: Space, b: u64, c: u64) -> Chunk;
        store(a: Space, b: u64, c: Chunk) -> u64;
        fetch_bulk(a: Space, b: u64, c: u64) -> u64;
        store_bulk(a: Space, b: u64, c: u64) -> u64;
        vmo_fetch(a: Vmo, b: u64, c: u64) -> u64;
        vmo_store(a: Vmo, b: u64, c: u64) -> u64;
        fetch_small(a: Space, b: u64, c: u8) -> (u64, u64);
        grow_heap(a: u64, b: u64) -> u64;
        shrink_heap(a: u64, b: u64) -> u64;
    }
}
