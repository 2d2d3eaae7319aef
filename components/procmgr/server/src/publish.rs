//! The process table that others read.

use lsyscall_abi::ThreadIdx;
use procmgr_api::{process_offset, thread_offset, Header, ProcEntry, ThreadEntry, FLAG_UNDUMPABLE};
use zerocopy::IntoBytes;

use crate::schedule::Schedule;
use crate::state::{Life, ProcIdx};
use crate::{Parts, ProcMgr};

impl<P: Parts> ProcMgr<P> {
    /// Writes the header.
    pub(crate) fn publish_header(&mut self) {
        let (threads, processes) = self.counts;
        let header = Header {
            slots: self.slots as u32,
            processes,
            threads,
            running: threads.saturating_sub(self.waiting),
            created: self.created,
            last_pid: self.last_pid as u32,
            ended_ns: [self.ended_threads.user, self.ended_threads.system],
            ended_switches: self.ended_threads.voluntary + self.ended_threads.involuntary,
            used: self.threads.len().max(self.procs.len()) as u32,
            load: self.load.average,
        };
        self.table.write(0, header.as_bytes());
    }

    /// The process is to be published before this entry ends.
    pub(crate) fn note_change(&mut self, p: ProcIdx) {
        if let Some(process) = self.procs.get_mut(p.0).and_then(Option::as_mut) {
            if !core::mem::replace(&mut process.changed, true) {
                self.changed.push(p);
            }
        }
    }

    /// Publishes the processes that have changed.
    pub(crate) fn publish_changes(&mut self) {
        while let Some(p) = self.changed.pop() {
            if let Some(process) = self.procs.get_mut(p.0).and_then(Option::as_mut) {
                process.changed = false;
                self.publish_process(p);
            }
        }
    }

    /// Writes a thread's entry.
    pub(crate) fn publish_thread(&mut self, t: ThreadIdx) {
        let entry = self
            .thread(t)
            .map_or(ThreadEntry::default(), |thread| ThreadEntry {
                tid: thread.tid as u32,
                process: thread.process.0 as u32,
                blocked: thread.blocked.0,
            });
        self.table.write(thread_offset(t.index()), entry.as_bytes());
    }

    /// Writes a process's entry. Handlers need not: whoever changes a process notes that.
    pub(crate) fn publish_process(&mut self, p: ProcIdx) {
        let entry = self.process(p).map_or(ProcEntry::default(), |process| {
            let leader = process.threads.first().copied();
            let schedule = leader.and_then(|t| self.thread(t));
            let schedule = schedule.map_or(Schedule::default(), |thread| thread.schedule);
            ProcEntry {
                pid: process.pid as u32,
                ppid: process
                    .parent
                    .and_then(|parent| self.process(parent))
                    .map_or(0, |parent| parent.pid as u32),
                pgid: process.pgid as u32,
                sid: process.sid as u32,
                leader: leader.map_or(u32::MAX, |t| u32::from(t.0)),
                threads: process.threads.len() as u32,
                state: u32::from(match process.life {
                    Life::Zombie(_) => b'Z',
                    Life::Stopped(_) => b'T',
                    Life::Running if self.all_parked(p) => b'S',
                    Life::Running => b'R',
                }),
                nice: (schedule.nice + 20) as u32,
                policy: schedule.policy as u32,
                priority: schedule.priority as u32,
                uids: process.ids.uid,
                gids: process.ids.gid,
                exit_status: if let Life::Zombie(status) = process.life {
                    status as u32
                } else {
                    0
                },
                adopted: process.adopted.into(),
                start_ns: process.start_ns,
                utime_ns: process.used.user,
                stime_ns: process.used.system,
                cutime_ns: process.children_used.user,
                cstime_ns: process.children_used.system,
                switches: [process.used.voluntary, process.used.involuntary],
                faults: process.used.faults,
                child_faults: process.children_used.faults,
                pending: process.pending.set().0,
                ignored: process.actions.explicitly_ignored().0,
                caught: process.actions.caught().0,
                arg_start: process.layout[0],
                arg_end: process.layout[1],
                env_start: process.layout[2],
                env_end: process.layout[3],
                start_stack: process.layout[4],
                comm: process.comm,
                caps: process.ids.caps.effective,
                permitted: process.ids.caps.permitted,
                flags: if process.kept.undumpable {
                    FLAG_UNDUMPABLE
                } else {
                    0
                },
            }
        });
        self.table
            .write(process_offset(self.slots, p.0), entry.as_bytes());
    }

    fn all_parked(&self, p: ProcIdx) -> bool {
        self.process(p).is_some_and(|p| {
            p.threads
                .iter()
                .all(|&t| self.thread(t).is_some_and(|t| t.state.waits()))
        })
    }
}
