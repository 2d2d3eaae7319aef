//! execve: from a path to a running image.

mod elf;
mod script;
mod stack;
mod strings;

use alloc::rc::Rc;
use alloc::vec::Vec;

use fsmgr_api::{ExecFile, FsMgr};
use lsyscall_abi::signal::SIGCHLD;
use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_router::{Flow, SysResult};
use lsyscall_shim as shim;
use memmgr_api::{MemMgr, SHIM_BASE};
use persona_ipc::Chunk;

use crate::machine::{Machine, Regs};
use crate::state::{AddressSpace, Continuation, State};
use crate::{limits, Parts, ProcMgr};

pub(crate) use strings::Strings;

/// Interpreters of interpreters that are followed (execve(2), ELOOP beyond).
const MAX_SCRIPTS: usize = 4;

/// personality(2): addresses are the same each time.
const ADDR_NO_RANDOMIZE: u32 = 0x0004_0000;
/// Bits of a personality that a set-id program does not inherit.
const PER_CLEAR_ON_SETID: u32 = 0x0010_0000 | ADDR_NO_RANDOMIZE | 0x0020_0000 | 0x0040_0000;

/// What the new program is.
pub(crate) struct Image {
    /// Its address space, nobody in it yet.
    space: AddressSpace,
    /// Where it starts.
    entry: u64,
    /// Its initial stack.
    stack: stack::Layout,
    /// The file, for the commit.
    file: ExecFile,
    /// Last component of the path it was started by.
    comm: [u8; 16],
}

impl<P: Parts> ProcMgr<P> {
    /// Replaces the caller's program. On failure the caller goes on as before.
    pub(crate) fn exec(
        &mut self,
        t: ThreadIdx,
        file: ExecFile,
        path: Vec<u8>,
        strings: Strings,
    ) -> SysResult {
        let image = self.build_image(t, file, path, strings)?;
        self.switch_to(t, image)?;
        Ok(Flow::Taken)
    }

    /// Follows `#!` lines, loads the program, builds its stack.
    pub(crate) fn build_image(
        &mut self,
        t: ThreadIdx,
        mut file: ExecFile,
        path: Vec<u8>,
        mut strings: Strings,
    ) -> Result<Image, Errno> {
        let mut current = path.clone();
        for _ in 0..=MAX_SCRIPTS {
            let mut head = [0u8; elf::HEAD_BYTES];
            let result = self.read_head(&file, &mut head);
            let got = match result {
                Ok(got) => got,
                Err(errno) => return self.give_up(file, errno),
            };
            let head = &head[..got];
            if !head.starts_with(b"#!") {
                return match self.load(t, &file, head, &path, &strings) {
                    Ok((space, entry, stack)) => Ok(Image {
                        space,
                        entry,
                        stack,
                        file,
                        comm: comm_of(&current_name(&path)),
                    }),
                    Err(errno) => self.give_up(file, errno),
                };
            }
            let line = match script::parse(head) {
                Some(line) => line,
                None => return self.give_up(file, Errno::ENOEXEC),
            };
            strings.interpreted_by(&line, &current);
            let _ = self.fs.exec_abort(file.token);
            file = self.fs.open_exec_path(t, Chunk::new(&line.interpreter))?;
            current = line.interpreter;
        }
        self.give_up(file, Errno::ELOOP)
    }

    fn give_up<T>(&mut self, file: ExecFile, errno: Errno) -> Result<T, Errno> {
        let _ = self.fs.exec_abort(file.token);
        Err(errno)
    }

    fn read_head(&self, file: &ExecFile, head: &mut [u8]) -> Result<usize, Errno> {
        use memmgr_api::UserMemory;
        let want = head
            .len()
            .min(usize::try_from(file.size).unwrap_or(usize::MAX));
        self.mem.vmo_read(file.vmo, 0, &mut head[..want])
    }

    /// Builds the new address space; it is dropped again on failure.
    fn load(
        &mut self,
        t: ThreadIdx,
        file: &ExecFile,
        head: &[u8],
        path: &[u8],
        strings: &Strings,
    ) -> Result<(AddressSpace, u64, stack::Layout), Errno> {
        let program = elf::Program::parse(head)?;
        let (mm, cap) = self.mem.mm_create()?;
        let space = AddressSpace::new(mm, cap.0);
        match self.fill(t, &space, file, &program, path, strings) {
            Ok((entry, layout)) => Ok((space, entry, layout)),
            Err(errno) => {
                self.release_space(Rc::new(space));
                Err(errno)
            }
        }
    }

    fn fill(
        &mut self,
        t: ThreadIdx,
        space: &AddressSpace,
        file: &ExecFile,
        program: &elf::Program,
        path: &[u8],
        strings: &Strings,
    ) -> Result<(u64, stack::Layout), Errno> {
        let limits = self.caller_process(t).ok_or(Errno::ESRCH)?.1.limits;
        self.mem.set_limits(
            memmgr_api::Space::Mm(space.mm),
            limits.soft(limits::AS),
            limits.soft(limits::STACK),
            limits.soft(limits::DATA),
        )?;
        self.mem.set_lock_limit(
            memmgr_api::Space::Mm(space.mm),
            limits.soft(limits::MEMLOCK),
        )?;
        let loaded = elf::map(&self.mem, space.mm, file, program, elf::Place::Main)?;
        let mut entry = loaded.entry;
        let mut base = 0;
        if let Some(interpreter) = &program.interpreter {
            let file = self.fs.open_exec_path(t, Chunk::new(interpreter))?;
            let result = self.map_interpreter(space, &file);
            let _ = self.fs.exec_abort(file.token);
            let interpreter = result?;
            entry = interpreter.entry;
            base = interpreter.bias;
        }
        self.mem.set_brk(space.mm, loaded.end)?;
        let ids = self
            .caller_process(t)
            .map(|(_, p)| p.ids)
            .ok_or(Errno::ESRCH)?;
        let no_new_privs = self
            .caller_process(t)
            .is_some_and(|(_, p)| p.kept.no_new_privs);
        let (uid, euid, gid, egid) = self.exec_ids(&ids, file, no_new_privs);
        let mut caps = ids.caps;
        caps.executed(uid, euid, euid != ids.uid[1] || egid != ids.gid[1]);
        // More than the real user would have: the program is not its caller's to influence (ld.so(8)).
        let secure = uid != 0 && caps.permitted != 0;
        let mut random = [0; 16];
        self.random.fill(&mut random);
        let fixed = self
            .caller_process(t)
            .is_some_and(|(_, p)| p.kept.personality & ADDR_NO_RANDOMIZE != 0);
        let shift = if fixed { 0 } else { self.random.word() };
        let auxv = stack::Auxv {
            phdr: loaded.phdr,
            phent: elf::PHDR_BYTES as u64,
            phnum: program.phnum,
            base,
            entry: loaded.entry,
            ids: [uid, euid, gid, egid],
            secure: secure || uid != euid || gid != egid,
            random,
            shift,
        };
        let layout = stack::build(&self.mem, space.mm, path, strings, &auxv)?;
        Ok((entry, layout))
    }

    fn map_interpreter(&self, space: &AddressSpace, file: &ExecFile) -> Result<elf::Loaded, Errno> {
        let mut head = [0u8; elf::HEAD_BYTES];
        let got = self.read_head(file, &mut head)?;
        let program = elf::Program::parse(&head[..got]).map_err(|_| Errno::ELIBBAD)?;
        elf::map(&self.mem, space.mm, file, &program, elf::Place::Interpreter)
    }

    /// Ids after exec of a file: real and effective user, real and effective group.
    fn exec_ids(
        &self,
        ids: &crate::state::Ids,
        file: &ExecFile,
        no_new_privs: bool,
    ) -> (u32, u32, u32, u32) {
        const S_ISUID: u32 = 0o4000;
        const S_ISGID: u32 = 0o2000;
        const S_IXGRP: u32 = 0o10;
        if no_new_privs {
            return (ids.uid[0], ids.uid[1], ids.gid[0], ids.gid[1]);
        }
        let euid = if file.mode & S_ISUID != 0 {
            file.uid
        } else {
            ids.uid[1]
        };
        let set_gid = file.mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP;
        let egid = if set_gid { file.gid } else { ids.gid[1] };
        (ids.uid[0], euid, ids.gid[0], egid)
    }

    /// The point of no return: the process becomes the new image.
    pub(crate) fn switch_to(&mut self, t: ThreadIdx, image: Image) -> Result<(), Errno> {
        let Some((p, process)) = self.caller_process(t) else {
            self.release_space(Rc::new(image.space));
            return self.give_up(image.file, Errno::ESRCH);
        };
        let others: Vec<ThreadIdx> = process
            .threads
            .iter()
            .copied()
            .filter(|&other| other != t)
            .collect();
        let (pid, ids, no_new_privs) = (process.pid, process.ids, process.kept.no_new_privs);
        if let Err(errno) = self.machine.set_space(t, image.space.vspace) {
            self.release_space(Rc::new(image.space));
            return self.give_up(image.file, errno);
        }
        for other in others {
            self.bury_thread(other);
        }
        self.leave_memory(t);
        let _ = self.mem.attach(t, image.space.mm);
        let _ = self.fs.exec_commit(t, image.file.token);
        let (uid, euid, gid, egid) = self.exec_ids(&ids, &image.file, no_new_privs);
        let set_id = euid != ids.uid[1] || egid != ids.gid[1];
        if let Some(thread) = self.thread_mut(t) {
            thread.tid = pid;
            thread.comm = image.comm;
            thread.altstack = (0, 2, 0);
            thread.fault = (0, 0);
        }
        let used = self.memory_used(p);
        self.note_used(p, &used);
        let new_space = Rc::new(image.space);
        let mut looks = false;
        let old_space = if let Some(process) = self.process_mut(p) {
            process.actions.reset_for_exec();
            process.has_execed = true;
            process.exit_signal = SIGCHLD;
            process.leader_status = None;
            process.timers = Vec::new();
            looks = process.look_at != 0;
            process.comm = image.comm;
            process.layout = image.stack.ranges;
            process.ids.uid = [uid, euid, euid, euid];
            process.ids.gid = [gid, egid, egid, egid];
            process.ids.caps.executed(uid, euid, set_id);
            process.kept.undumpable = set_id;
            if set_id {
                process.death_signal = 0;
                process.kept.personality &= !PER_CLEAR_ON_SETID;
            }
            process.space.replace(new_space)
        } else {
            Some(new_space)
        };
        if let Some(space) = old_space {
            self.release_space(space);
        }
        if looks {
            self.plan_look(p);
        }
        self.push_creds(p);
        self.release_vfork(p);
        let regs = Regs {
            sp: image.stack.sp,
            pc: image.entry,
            ..Regs::ZERO
        };
        self.set_state(t, State::Shim(Continuation::Zero { regs }));
        self.publish_thread(t);
        self.publish_header();
        self.machine.write(
            t,
            &Regs {
                pc: SHIM_BASE + shim::at::ZERO_FP,
                ..Regs::ZERO
            },
            true,
        );
        Ok(())
    }
}

/// Last component of a path.
fn current_name(path: &[u8]) -> Vec<u8> {
    path.rsplit(|&b| b == b'/').next().unwrap_or(path).to_vec()
}

/// The short name of a process: 15 bytes and a NUL.
pub(crate) fn comm_of(name: &[u8]) -> [u8; 16] {
    let mut comm = [0; 16];
    for (to, from) in comm.iter_mut().take(15).zip(name) {
        *to = *from;
    }
    comm
}
