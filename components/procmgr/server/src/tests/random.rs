//! Random programs: whatever they do, the invariants of [`System::check`] hold, and at the end everything comes back.

use fsmgr_api::Target;
use lsyscall_abi::signal::SIGKILL;
use lsyscall_abi::{Errno, ThreadIdx};
use memmgr_api::FaultKind;

use super::driver::{nr, System, DATA, INIT, SLOTS};
use crate::random::Random;
use crate::state::State;

const H: u64 = 0x40_0800;
/// Signals that are sent: with every default action, standard and real-time.
const SIGNALS: [i32; 12] = [9, 10, 11, 12, 15, 17, 18, 19, 20, 22, 28, 40];

struct Player {
    system: System,
    random: Random,
}

impl Player {
    fn below(&mut self, n: usize) -> usize {
        (self.random.word() % n as u64) as usize
    }

    fn signal(&mut self) -> u64 {
        let at = self.below(SIGNALS.len());
        SIGNALS[at] as u64
    }

    /// Threads that are in their programs, or in the shim page.
    fn running(&self) -> Vec<ThreadIdx> {
        (0..SLOTS as u16)
            .map(ThreadIdx)
            .filter(|&t| self.system.server.thread(t).is_some() && self.system.runs(t))
            .collect()
    }

    fn in_program(&self, t: ThreadIdx) -> bool {
        let state = self.system.server.thread(t).map(|th| &th.state);
        matches!(state, Some(State::User))
    }

    /// Some process or group, or one that is not there. Init is spared the worst.
    fn target(&mut self, signal: u64) -> u64 {
        let pid = 2 + self.below(self.system.server.last_pid as usize) as i64;
        match self.below(8) {
            0 => -pid as u64,
            1 if signal == 10 || signal == 17 => 0,
            2 if signal == 10 || signal == 17 => 1,
            _ => pid as u64,
        }
    }

    fn turn(&mut self) {
        match self.below(20) {
            0 => {
                let signal = self.signal();
                let pid = self.target(signal) as i64 as i32;
                let signal = signal as u8;
                let target = match pid {
                    pid if pid > 0 => Target::Process(pid),
                    pid => Target::Group(-pid),
                };
                return self.system.fs_signal_unstepped(target, signal);
            }
            1 => return self.system.pass_unstepped(300_000_000),
            _ => {}
        }
        let running = self.running();
        if running.is_empty() {
            return self.system.pass_unstepped(1_000_000_000);
        }
        let at = self.below(running.len());
        let t = running[at];
        if self.system.shim_step(t) || !self.in_program(t) {
            return;
        }
        // Below, a call that was parked ends by itself.
        if self.system.world(|w| w.tcb(t).run) != super::world::Run::Running {
            return;
        }
        self.act(t);
    }

    fn act(&mut self, t: ThreadIdx) {
        let init = self.system.pid(t) == 1;
        let signal = self.signal();
        let pid = self.target(signal);
        let word = self.random.word();
        match self.below(22) {
            0 | 1 => self.system.issue(t, nr::CLONE, &[17, 0, 0, 0, 0]),
            2 => self.system.issue(t, nr::CLONE, &[0x4111, 0, 0, 0, 0]),
            3 | 4 => {
                let args = [0x3d_0f00, DATA + 0x2000, DATA, 0, DATA + 8];
                self.system.issue(t, nr::CLONE, &args);
            }
            5 => self
                .system
                .issue(t, nr::CLONE, &[0x111, DATA + 0x2000, 0, 0, 0]),
            6 if !init => self.system.issue(t, nr::EXIT, &[word & 0xff]),
            7 if !init => self.system.issue(t, nr::EXIT_GROUP, &[word & 0xff]),
            8 | 9 => self.system.issue(t, nr::KILL, &[pid, signal]),
            10 => {
                let tid = self.system.tid(t) as u64;
                let tgid = self.system.pid(t) as u64;
                self.system.issue(t, nr::TGKILL, &[tgid, tid, signal]);
            }
            11 | 12 => {
                let options = word & (1 | 2 | 8);
                self.system
                    .issue(t, nr::WAIT4, &[u64::MAX, DATA, options, 0]);
            }
            13 if !init => {
                let handler = [0, 1, H, H][self.below(4)];
                let flags = word & (0x1000_0000 | 0x4000_0000 | 0x8000_0000 | 3);
                self.system
                    .poke_words(t, DATA, &[handler, flags, 0, word >> 32]);
                self.system.issue(t, nr::SIGACTION, &[signal, DATA, 0, 8]);
            }
            14 => {
                let mask = word & self.random.word();
                self.system.poke_words(t, DATA, &[mask]);
                self.system.issue(t, nr::SIGPROCMASK, &[2, DATA, 0, 8]);
            }
            15 => {
                let mask = word & self.random.word();
                self.system.poke_words(t, DATA, &[mask]);
                self.system.issue(t, nr::SIGSUSPEND, &[DATA, 8]);
            }
            16 => {
                self.system.poke_words(t, DATA, &[word, 1, 0]);
                self.system
                    .issue(t, nr::SIGTIMEDWAIT, &[DATA, 0, DATA + 8, 8]);
            }
            17 if !init => {
                let path: &[u8] =
                    [&b"/bin/prog\0"[..], b"/bin/text\0", b"/bin/script\0"][self.below(3)];
                self.system.poke(t, DATA, path);
                self.system.issue(t, nr::EXECVE, &[DATA, 0, 0]);
            }
            18 if !init => {
                let failing = ["mm_fork", "clone_thread", "set_space", "map"][self.below(4)];
                self.system.world(|w| w.failing = vec![failing]);
            }
            18 | 19 => {
                let how = [
                    Errno::ERESTARTSYS,
                    Errno::EINTR,
                    Errno::ERESTART_RESTARTBLOCK,
                ];
                let how = how[self.below(3)];
                self.system.park_below(t, word, how);
            }
            20 if !init => self.system.fault_unstepped(t, FaultKind::NotMapped, 8),
            _ => {
                let number = [nr::SETPGID, nr::SETSID][self.below(2)];
                self.system.issue(t, number, &[0, 0]);
            }
        }
    }

    /// init returns from its handlers, as all do now and then.
    fn end_calls_below(&mut self) {
        let parked: Vec<u16> = self.system.world(|w| w.below.keys().copied().collect());
        for t in parked {
            self.system.world(|w| {
                w.below.remove(&t);
                w.tcb(ThreadIdx(t)).run = super::world::Run::Running;
                w.tcb(ThreadIdx(t)).regs.x[0] = 0;
            });
        }
    }

    /// Where programs have wandered, they get a stack and a place again.
    fn tidy(&mut self) {
        for t in self.running() {
            if self.in_program(t) {
                self.system.world(|w| {
                    let regs = &mut w.tcb(t).regs;
                    if regs.pc < lsyscall_top() {
                        regs.sp = DATA + 0x3f00;
                        regs.pc = super::driver::TEXT;
                    }
                });
            }
        }
    }
}

const fn lsyscall_top() -> u64 {
    memmgr_api::SHIM_BASE
}

/// Init has ended: nothing may be left. False.
fn ended(system: &System) -> bool {
    system.world(|w| {
        assert!(w.mms.is_empty() && w.vspaces.is_empty() && w.fs_threads.is_empty());
        assert!(w.tokens.is_empty() && w.exit.is_some());
        false
    })
}

/// Whether init was left at the end.
fn play(seed: u64, turns: usize) -> bool {
    let mut player = Player {
        system: System::new(),
        random: Random::new(&seed.to_le_bytes(), 0),
    };
    for signal in [10, 12, 15, 40] {
        player.system.handle(INIT, signal, H, 0x1000_0000, u64::MAX);
    }
    for turn in 0..turns {
        player.turn();
        if player.system.server.ended {
            return ended(&player.system);
        }
        if turn % 16 == 0 {
            player.end_calls_below();
            player.tidy();
        }
    }
    // Init stops handling, everybody else is killed, and init collects.
    let mut system = player.system;
    system.world(|w| {
        w.failing.clear();
        w.below.remove(&INIT.0);
    });
    system.step();
    let pids: Vec<i32> = system.server.processes().map(|(_, p)| p.pid).collect();
    for pid in pids.into_iter().filter(|&pid| pid != 1) {
        system.fs_signal_unstepped(Target::Process(pid), SIGKILL as u8);
    }
    if system.server.ended {
        return ended(&system);
    }
    let alive = system.server.processes().filter(|(_, p)| !p.is_zombie());
    assert_eq!(alive.count(), 1);
    let init = system.server.find_process(1).unwrap();
    let zombies: Vec<_> = system
        .server
        .processes()
        .map(|(i, _)| i)
        .filter(|&i| i != init)
        .collect();
    for zombie in zombies {
        system.server.reap(zombie);
    }
    system.server.publish_changes();
    for t in system
        .server
        .process(init)
        .unwrap()
        .threads
        .clone()
        .into_iter()
        .skip(1)
    {
        system.server.bury_thread(t);
    }
    system.server.drain();
    system.server.publish_header();
    system.server.publish_changes();
    system.check();
    assert_eq!(
        system.world(|w| (w.mms.len(), w.vspaces.len(), w.tokens.len())),
        (1, 1, 0)
    );
    assert_eq!(system.world(|w| w.attached.len()), 1);
    true
}

#[test]
fn random_programs_break_nothing() {
    let survived = (0..60).filter(|&seed| play(seed, 1500)).count();
    assert!(survived > 30, "{survived} games with init to the end");
}
