//! `--trace`: a line for each system call a component of this domain has served.

use alloc::string::String;
use core::fmt::Write;

use lsyscall_router::{Caller, Flow, SysResult};
use persona_component::BootArgs;

/// Which calls are shown.
pub struct Tracer {
    classes: String,
}

impl Tracer {
    /// What the boot arguments ask for; `None` without `trace=`.
    pub fn from_args(args: &BootArgs) -> Option<Self> {
        args.get_str("trace").map(|classes| Tracer {
            classes: String::from(classes),
        })
    }

    fn wanted(&self, class: &str) -> bool {
        self.classes == "all"
            || self
                .classes
                .split(',')
                .any(|c| c.eq_ignore_ascii_case(class))
    }

    /// Shows one call.
    pub fn call(&mut self, caller: &Caller, result: &SysResult) {
        let Some(row) = lsyscall_table::by_number(u64::from(caller.nr)) else {
            return;
        };
        if !self.wanted(row.class.name()) {
            return;
        }
        let mut line = String::new();
        let _ = write!(line, "[{}] {}(", caller.thread.0, row.name);
        for (i, (arg, value)) in row.args.iter().zip(caller.args).enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            let _ = if value < 4096 {
                write!(line, "{comma}{}={value}", arg.name)
            } else {
                write!(line, "{comma}{}={value:#x}", arg.name)
            };
        }
        let _ = match result {
            Ok(Flow::Done(value)) => writeln!(line, ") = {value}"),
            Ok(Flow::Park) => writeln!(line, ") ..."),
            Ok(Flow::Taken) => writeln!(line, ")"),
            Err(errno) => writeln!(line, ") = -1 {} ({})", errno.name(), errno.text()),
        };
        crate::logging::trace(&line);
    }
}
