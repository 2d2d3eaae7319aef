//! The program: entry, heap, and the checks by domain.

mod checks;
mod client;
mod entry;
mod server;
mod uart;

use persona_plan::startup::View;
use persona_plan::{Domain, Plan};

static PLAN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/plan.bin"));

/// What a check looks at.
struct Context {
    plan: Plan,
    index: usize,
    startup: View<'static>,
}

impl Context {
    fn domain(&self) -> &Domain {
        &self.plan.domains[self.index]
    }

    /// Capability pointer of a slot constant.
    fn cptr(&self, name: &str) -> u64 {
        let cap = self.domain().caps.iter().find(|c| c.name == name);
        cap.map_or(0, |c| u64::from(c.slot) << persona_plan::LEAF_BITS)
    }

    /// Address of a mapping.
    fn vaddr(&self, name: &str) -> *mut u8 {
        let mapping = self.domain().mappings.iter().find(|m| m.name == name);
        mapping.map_or(core::ptr::null_mut(), |m| m.vaddr as *mut u8)
    }
}

/// The domain that only runs when the client has been stopped.
fn last(context: &Context) -> ! {
    sel4::cap::Notification::from_bits(context.cptr("EVENT_SERVER_LAST")).signal();
    let endpoint = sel4::cap::Endpoint::from_bits(context.cptr("ENDPOINT"));
    loop {
        endpoint.recv_mrs();
    }
}

fn main(startup: View<'static>) -> ! {
    let index = startup.header().domain as usize;
    let Ok(plan) = Plan::from_bytes(PLAN) else {
        panic!("the plan does not decode");
    };
    let context = Context {
        plan,
        index,
        startup,
    };
    match context.domain().name.as_str() {
        "server" => server::run(&context),
        "client" => client::run(&context),
        _ => last(&context),
    }
}
