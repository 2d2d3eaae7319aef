//! `--trace`: a line for each system call that a component of this domain has served.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_router::{Caller, Flow, SysResult};
use lsyscall_table::Ret;
use lsyscall_trace::{render, Filter, Outcome, UserReader};
use persona_component::BootArgs;

/// Threads whose parked calls are remembered at most.
const MAX_PARKED: usize = 1024;

/// Which calls are shown, and those that are still going on.
pub struct Tracer {
    filter: Filter,
    parked: RefCell<Vec<Caller>>,
}

/// A call that may replace the memory its arguments are in, rendered before it starts.
pub struct Started(Option<String>);

impl Tracer {
    /// What the boot arguments ask for; `None` without `trace=`.
    pub fn from_args(args: &BootArgs) -> Option<Self> {
        let filter = Filter::parse(args.get_str("trace")?).unwrap_or(Filter::ALL);
        Some(Tracer {
            filter,
            parked: RefCell::new(Vec::new()),
        })
    }

    fn wanted(&self, caller: &Caller) -> bool {
        self.filter.shows_number(u64::from(caller.nr))
    }

    /// Before a call.
    pub fn start(&self, caller: &Caller, memory: &mut dyn UserReader) -> Started {
        let leaves = lsyscall_table::by_number(u64::from(caller.nr))
            .is_some_and(|row| row.ret == Ret::Never || row.name.starts_with("execve"));
        let text = (leaves && self.wanted(caller)).then(|| line(caller, memory, Outcome::Gone));
        Started(text)
    }

    /// After a call.
    pub fn end(
        &self,
        started: Started,
        caller: &Caller,
        result: &SysResult,
        memory: &mut dyn UserReader,
    ) {
        if !self.wanted(caller) {
            return;
        }
        let text = match (result, started.0) {
            (Ok(Flow::Taken), Some(text)) => text,
            (Ok(Flow::Taken), None) => line(caller, memory, Outcome::Gone),
            (Ok(Flow::Yield), _) => line(caller, memory, Outcome::Value(0)),
            (Ok(Flow::Done(value)), _) => line(caller, memory, Outcome::Value(*value)),
            (Err(errno), _) => line(caller, memory, Outcome::Value(errno.to_result())),
            (Ok(Flow::Park), _) => {
                let mut parked = self.parked.borrow_mut();
                parked.retain(|c| c.thread != caller.thread);
                if parked.len() < MAX_PARKED {
                    parked.push(*caller);
                }
                line(caller, memory, Outcome::Unfinished)
            }
        };
        crate::logging::trace(&text);
    }

    /// A parked call has been completed.
    pub fn completed(&self, thread: ThreadIdx, value: i64) {
        let mut parked = self.parked.borrow_mut();
        let Some(at) = parked.iter().position(|c| c.thread == thread) else {
            return;
        };
        let caller = parked.swap_remove(at);
        let name = lsyscall_table::by_number(u64::from(caller.nr)).map_or("?", |row| row.name);
        let result = match Errno::from_result(value) {
            Some(errno) => format!("-1 {} ({})", errno.name(), errno.text()),
            None => format!("{value}"),
        };
        crate::logging::trace(&format!("[{}] <... {name} resumed> = {result}\n", thread.0));
    }
}

fn line(caller: &Caller, memory: &mut dyn UserReader, outcome: Outcome) -> String {
    let mut text = render(
        i32::from(caller.thread.0),
        u64::from(caller.nr),
        &caller.args,
        memory,
        outcome,
    );
    text.push('\n');
    text
}
