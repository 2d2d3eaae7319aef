//! The server: checks itself, listens to the client, prints, ends the run.

use alloc::format;
use alloc::vec::Vec;

use persona_plan::{badge, supervisor};
use sel4::cap::{Endpoint, IrqHandler, Notification};
use sel4::MessageInfo;

use super::checks::{self, Outcome};
use super::{uart, Context};

/// What the server writes into the dataport.
pub const MARK: u64 = 0x5045_5253_4f4e_4121;

/// Names of the client's checks.
const CLIENT: [&str; 5] = [
    "client-cspace",
    "client-startup",
    "client-mappings",
    "client-dataport",
    "client-event",
];

/// Runs everything.
pub fn run(context: &Context) -> ! {
    // SAFETY: the plan maps the UART there.
    unsafe { uart::use_device(context.vaddr("device pl011")) };
    let mut results: Vec<(&str, Outcome)> = alloc::vec![
        ("server-cspace", checks::cspace(context)),
        ("server-startup", checks::startup(context)),
        ("server-mappings", checks::mappings(context)),
        ("server-devices", devices(context)),
    ];
    let board = context.vaddr("dataport server.board").cast::<u64>();
    // SAFETY: the plan maps the dataport there, writable.
    unsafe { board.write_volatile(MARK) };
    Notification::from_bits(context.cptr("EVENT_CLIENT_POKE")).signal();
    listen(context, &mut results);
    let failed = results.iter().filter(|(_, r)| r.is_err()).count();
    for (name, outcome) in &results {
        match outcome {
            Ok(()) => uart::print(format_args!("PASS {name}\n")),
            Err(why) => uart::print(format_args!("FAIL {name}: {why}\n")),
        }
    }
    let passed = results.len() - failed;
    uart::print(format_args!("DONE passed={passed} failed={failed}\n"));
    let root = Endpoint::from_bits(context.cptr("SUPERVISOR"));
    root.call_mrs(MessageInfo::new(supervisor::END, 2), [0, 42, 0, 0]);
    let endpoint = Endpoint::from_bits(context.cptr("ENDPOINT"));
    loop {
        endpoint.recv_mrs();
    }
}

fn devices(context: &Context) -> Outcome {
    let virtio = context.vaddr("device virtio").cast::<u32>();
    // SAFETY: the plan maps the device's page there.
    let magic = unsafe { virtio.read_volatile() };
    if magic != u32::from_le_bytes(*b"virt") {
        return Err(format!("{magic:#x} instead of virtio's magic number"));
    }
    let irq = IrqHandler::from_bits(context.cptr("IRQ_SERVER_UART"));
    irq.ack()
        .map_err(|e| format!("acknowledging the UART's interrupt: {e}"))
}

/// Takes the client's calls until all signals have come, checking every badge. The last one comes when the client has broken
/// a rule and the root task has stopped and reported it.
fn listen(context: &Context, results: &mut Vec<(&'static str, Outcome)>) {
    let endpoint = Endpoint::from_bits(context.cptr("ENDPOINT"));
    let client = context.plan.domains.iter().find(|d| d.name == "client");
    // `ask` is the server's second interface.
    let expected = badge::interface(1, client.map_or(0, |d| d.index));
    let events = badge::event(0) | badge::event(1) | badge::event(2);
    let mut seen = 0;
    let mut received = endpoint.recv_mrs();
    loop {
        if received.badge & badge::NOTIFICATION != 0 {
            seen |= received.badge;
            if seen == events {
                break;
            }
            received = endpoint.recv_mrs();
            continue;
        }
        let [number, ok, ..] = received.mrs;
        let name = CLIENT
            .get(number as usize)
            .copied()
            .unwrap_or("client-write");
        results.push((
            name,
            if received.badge != expected {
                Err(format!(
                    "badge {:#x} instead of {expected:#x}",
                    received.badge
                ))
            } else if ok == 0 {
                Err("see the client".into())
            } else {
                Ok(())
            },
        ));
        received = endpoint.reply_recv_mrs(MessageInfo::new(0, 0), [0; 4]);
    }
    let fine = seen == events;
    results.push((
        "events",
        fine.then_some(()).ok_or_else(|| format!("{seen:#x}")),
    ));
    let count = results
        .iter()
        .filter(|(n, _)| n.starts_with("client-"))
        .count();
    let all = count == CLIENT.len();
    results.push((
        "client-calls",
        all.then_some(()).ok_or_else(|| format!("{count} calls")),
    ));
}
