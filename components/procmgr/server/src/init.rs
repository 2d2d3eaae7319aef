//! The first process.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

use console_api::Console;
use fsmgr_api::{FsMgr, STDIO_PIPE, STDIO_TTY};
use lsyscall_abi::signal::SIGCHLD;
use lsyscall_abi::{Errno, SigSet};
use persona_ipc::Chunk;

use crate::exec::{comm_of, Strings};
use crate::limits::Limits;
use crate::machine::Machine;
use crate::schedule::Schedule;
use crate::signal::action::Actions;
use crate::signal::Queue;
use crate::state::{Ids, Kept, Life, Process, State, Thread};
use crate::timers::Timer;
use crate::usage::Used;
use crate::{Parts, ProcMgr};

/// Exit reason on the console: the system failed.
const SYSTEM_FAILED: u8 = 2;
/// Status of a system failure, as `xtask run` documents it.
const FAILURE_STATUS: i32 = 125;

impl<P: Parts> ProcMgr<P> {
    /// Starts init as the boot arguments say; a failure ends the run with a reason.
    pub fn start_init(&mut self) {
        let path = self
            .env
            .bootargs()
            .get("init")
            .unwrap_or(b"/bin/sh")
            .to_vec();
        if let Err(errno) = self.try_start_init(&path) {
            let text = format!(
                "cannot start {}: {errno}",
                alloc::string::String::from_utf8_lossy(&path)
            );
            log::error!("{text}");
            let _ = self.console.exit(SYSTEM_FAILED, FAILURE_STATUS);
        }
    }

    fn try_start_init(&mut self, path: &[u8]) -> Result<(), Errno> {
        let bootargs = self.env.bootargs().clone();
        let mut args: Vec<Vec<u8>> = bootargs.all("arg").map(<[u8]>::to_vec).collect();
        if args.is_empty() {
            args.push(path.to_vec());
        }
        let mut env: Vec<Vec<u8>> = bootargs.all("env").map(<[u8]>::to_vec).collect();
        if env.is_empty() {
            env = [
                &b"HOME=/root"[..],
                b"PATH=/bin:/sbin:/usr/bin:/usr/sbin",
                b"TERM=linux",
                b"USER=root",
            ]
            .map(<[u8]>::to_vec)
            .into();
        }
        let cwd = bootargs.get("cwd").unwrap_or(b"/").to_vec();
        let stdio = if bootargs.get("stdio") == Some(b"pipe") {
            STDIO_PIPE
        } else {
            STDIO_TTY
        };

        let t = self.free_thread()?;
        self.machine.prepare(t)?;
        let pid = self.new_pid()?;
        let now = self.now();
        let p = self.enter_process(Process {
            pid,
            serial: 0,
            parent: None,
            pgid: pid,
            sid: pid,
            threads: vec![t],
            adopted: false,
            children: vec![],
            life: Life::Running,
            stop_unreported: false,
            continue_unreported: false,
            space: None,
            actions: Actions::default(),
            pending: Queue::default(),
            exit_signal: SIGCHLD,
            death_signal: 0,
            subreaper: false,
            has_execed: false,
            vfork_parent: None,
            doomed: false,
            leader_status: None,
            comm: comm_of(b"init"),
            changed: false,
            ids: Ids::ROOT,
            limits: Limits::initial(self.slots as u64),
            itimer: Timer::default(),
            cpu_itimers: [Timer::default(); 2],
            look_at: 0,
            timers: vec![],
            kept: Kept::default(),
            layout: [0; 5],
            start_ns: now,
            used: Used::default(),
            children_used: Used::default(),
        })?;
        self.enter_thread(
            t,
            Thread {
                tid: pid,
                process: p,
                blocked: SigSet::EMPTY,
                saved_mask: None,
                pending: Queue::default(),
                altstack: (0, 2, 0),
                clear_child_tid: 0,
                state: State::Held,
                schedule: Schedule::default(),
                queued: false,
                fault: (0, 0),
                comm: comm_of(b"init"),
                slack: (50_000, 50_000),
            },
        );
        self.machine.schedule(t, Schedule::default().params());
        self.publish_thread(t);
        self.publish_process(p);
        self.publish_header();
        self.fs.init_process(t, stdio, Chunk::new(&cwd))?;
        let file = self.fs.open_exec_path(t, Chunk::new(path))?;
        let image = self.build_image(t, file, path.to_vec(), Strings { args, env })?;
        self.switch_to(t, image)?;
        self.push_limits(p);
        self.publish_changes();
        let mut line = alloc::string::String::new();
        let _ = write!(
            line,
            "init is {}",
            alloc::string::String::from_utf8_lossy(path)
        );
        log::info!("{line}");
        Ok(())
    }
}
