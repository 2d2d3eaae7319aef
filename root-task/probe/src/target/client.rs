//! The client: reports its own checks to the server, then breaks a rule.

use persona_plan::badge;
use sel4::cap::{Endpoint, Notification};
use sel4::MessageInfo;

use super::{checks, Context};

/// Asks with the number of the check and whether it went well.
pub fn run(context: &Context) -> ! {
    let server = Endpoint::from_bits(context.cptr("SERVER_ASK"));
    let results = [
        checks::cspace(context),
        checks::startup(context),
        checks::mappings(context),
    ];
    let board = context.vaddr("dataport server.board").cast::<u64>();
    // SAFETY: the plan maps the dataport there.
    let seen = unsafe { board.read_volatile() };
    let poked = Endpoint::from_bits(context.cptr("ENDPOINT"))
        .recv_mrs()
        .badge;
    for (number, ok) in results
        .iter()
        .map(Result::is_ok)
        .chain([seen == super::server::MARK, poked == badge::event(0)])
        .enumerate()
    {
        server.call_mrs(MessageInfo::new(7, 2), [number as u64, ok.into(), 0, 0]);
    }
    for name in ["EVENT_SERVER_DONE", "EVENT_SERVER_OTHER"] {
        Notification::from_bits(context.cptr(name)).signal();
    }
    // SAFETY: deliberately none: the dataport is mapped read only here, so this faults, and the root task reports it.
    unsafe { board.write_volatile(0) };
    // Not reached.
    server.call_mrs(MessageInfo::new(7, 2), [u64::MAX, 0, 0, 0]);
    panic!("wrote to a read-only dataport");
}
