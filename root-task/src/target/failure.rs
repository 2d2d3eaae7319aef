//! Why the system could not be built.

use alloc::format;
use alloc::string::String;
use core::fmt;

use persona_plan::{ObjectId, Origin, Plan};

/// What went wrong, with the plan's object or line.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// From a text.
    pub fn new(text: fmt::Arguments<'_>) -> Failure {
        Failure(format!("{text}"))
    }

    /// Something about an object of the plan.
    pub fn object(plan: &Plan, id: ObjectId, text: fmt::Arguments<'_>) -> Failure {
        match plan.object(id) {
            Some(object) => Failure::at(plan, object.origin, &object.name, text),
            None => Failure(format!("object {} of the plan: {text}", id.0)),
        }
    }

    /// Something about a line of the manifest.
    pub fn at(plan: &Plan, origin: Origin, name: &str, text: fmt::Arguments<'_>) -> Failure {
        let (file, line) = plan.place(origin);
        Failure(format!("{name} ({file}:{line}): {text}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
