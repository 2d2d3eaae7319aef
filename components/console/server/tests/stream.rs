//! The console over a device that is a pair of vectors.

use std::cell::RefCell;
use std::rc::Rc;

use console_api::ConsoleService;
use console_frame::{encode, Decoder, Event, Kind, Window};
use console_server::{Console, Uart};
use lsyscall_abi::ThreadIdx;
use persona_component::{BootArgs, Component, Env, EnvParts, Replies, ReplyPort, SlotSource, Wake};
use persona_ipc::Bytes;

#[derive(Default)]
struct Line {
    to_guest: std::collections::VecDeque<u8>,
    from_guest: Vec<u8>,
    /// What the device takes before it is full.
    room: usize,
    rx_interrupts: bool,
    tx_interrupts: bool,
    acknowledged: u32,
    wakes: u32,
}

#[derive(Clone, Default)]
struct Device(Rc<RefCell<Line>>);

impl Uart for Device {
    fn receive(&mut self) -> Option<u8> {
        self.0.borrow_mut().to_guest.pop_front()
    }
    fn send(&mut self, bytes: &[u8]) -> usize {
        let mut line = self.0.borrow_mut();
        let n = bytes.len().min(line.room);
        line.room -= n;
        line.from_guest.extend(&bytes[..n]);
        n
    }
    fn interrupt_on_receive(&mut self, on: bool) {
        self.0.borrow_mut().rx_interrupts = on;
    }
    fn interrupt_on_send(&mut self, on: bool) {
        self.0.borrow_mut().tx_interrupts = on;
    }
    fn acknowledge(&mut self) {
        self.0.borrow_mut().acknowledged += 1;
    }
}

struct Nothing;

impl ReplyPort for Nothing {
    fn complete(&self, _: ThreadIdx, _: i64) {}
    fn forget(&self, _: ThreadIdx) {}
    fn resume_fault(&self, _: ThreadIdx) {}
}

impl SlotSource for Nothing {
    fn alloc(&self) -> Option<u64> {
        None
    }
    fn free(&self, _: u64) {}
    fn add_node(&self, _: u64) {}
    fn alloc_root(&self) -> Option<u64> {
        None
    }
}

fn console(args: &str, room: usize) -> (Console<Device>, Device) {
    let device = Device::default();
    device.0.borrow_mut().room = room;
    let line = Rc::clone(&device.0);
    let env = Env::new(EnvParts {
        name: "console",
        attributes: &[],
        caps: &[],
        dataports: Vec::new(),
        mmio: &[],
        wakes: vec![("ready", Wake::new(move || line.borrow_mut().wakes += 1))],
        replies: Replies::new(Nothing),
        slots: Rc::new(Nothing),
        bootargs: BootArgs::parse(args),
        clock: || 0,
        memory: persona_component::BootMemory::default(),
        heap: None,
    });
    (Console::with_uart(env, device.clone()).unwrap(), device)
}

fn frames(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut out: Vec<(u8, Vec<u8>)> = Vec::new();
    Decoder::new().feed(bytes, |event| match event {
        Event::Raw(raw) => out.push((b'R', raw.to_vec())),
        Event::Begin { kind, .. } => out.push((kind.byte(), Vec::new())),
        Event::Data { bytes, .. } => out.last_mut().unwrap().1.extend(bytes),
    });
    out
}

fn send(device: &Device, kind: Kind, payload: &[u8]) {
    encode(kind, payload, |bytes| {
        device.0.borrow_mut().to_guest.extend(bytes)
    });
}

#[test]
fn output_log_trace_and_exit_are_frames_in_order() {
    let (mut console, device) = console("console=framed", usize::MAX);
    assert_eq!(console.write(Bytes::new(b"hi\xff\n")), Ok(4));
    console.log(3, Bytes::new(b"started\n")).unwrap();
    console.trace(Bytes::new(b"[1] close(3) = 0\n")).unwrap();
    console.exit(0, 7).unwrap();
    assert_eq!(console.write(Bytes::new(b"late")), Ok(4));
    assert_eq!(
        frames(&device.0.borrow().from_guest),
        [
            (b'R', Vec::new()),
            (b'O', b"hi\xff\n".to_vec()),
            (b'L', b"\x03started".to_vec()),
            (b'T', b"[1] close(3) = 0\n".to_vec()),
            (b'X', vec![0, 7, 0, 0, 0]),
        ]
    );
    assert_eq!(console.queued(), Ok(0));
    assert!(!device.0.borrow().tx_interrupts);
}

#[test]
fn plain_output_is_text() {
    let (mut console, device) = console("console=plain", usize::MAX);
    console.write(Bytes::new(b"hi\n")).unwrap();
    console.log(1, Bytes::new(b"bad")).unwrap();
    console.exit(1, 9).unwrap();
    let text = String::from_utf8(device.0.borrow().from_guest.clone()).unwrap();
    assert_eq!(
        text,
        "hi\n[error] bad\r\n\r\n[the first process was killed by signal 9]\r\n"
    );
    device.0.borrow_mut().to_guest.extend(b"abc\xff");
    console.notified(1);
    assert_eq!(console.read().unwrap().data.as_slice(), b"abc\xff");
}

#[test]
fn a_full_device_is_fed_by_its_interrupts() {
    let (mut console, device) = console("console=framed", 4);
    device.0.borrow_mut().room = 3;
    assert_eq!(console.write(Bytes::new(b"hello")), Ok(5));
    assert!(device.0.borrow().tx_interrupts);
    assert_eq!(console.queued(), Ok(6));
    device.0.borrow_mut().room = 100;
    console.notified(1);
    assert_eq!(
        frames(&device.0.borrow().from_guest),
        [(b'R', Vec::new()), (b'O', b"hello".to_vec())]
    );
    assert!(!device.0.borrow().tx_interrupts);
    assert_eq!(device.0.borrow().wakes, 0);
}

#[test]
fn the_queue_is_bounded_and_tells_of_room() {
    let (mut console, device) = console("console=framed", 0);
    let block = [b'x'; 800];
    let mut taken = 0;
    loop {
        let n = console.write(Bytes::new(&block)).unwrap();
        taken += n;
        if n < 800 {
            break;
        }
    }
    assert!(taken > 16_000 && taken < 32_768);
    // Log lines still fit, then are counted, and the end of the run always fits.
    for _ in 0..1000 {
        console.log(3, Bytes::new(&block)).unwrap();
    }
    console.trace(Bytes::new(&block)).unwrap();
    assert!(console.queued().unwrap() <= 32 * 1024);
    device.0.borrow_mut().room = usize::MAX;
    console.notified(1);
    assert_eq!(device.0.borrow().wakes, 1);
    console.log(3, Bytes::new(b"again")).unwrap();
    console.exit(2, 1).unwrap();
    let all = frames(&device.0.borrow().from_guest);
    let logs = all.iter().filter(|f| f.0 == b'L').count();
    let note = all.iter().rev().nth(2).unwrap();
    let lost: u64 = String::from_utf8_lossy(&note.1[1..])
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(logs as u64 - 2 + lost, 1001);
    assert_eq!(all.last().unwrap().1, [2, 1, 0, 0, 0]);
    let output: usize = all.iter().filter(|f| f.0 == b'O').map(|f| f.1.len()).sum();
    assert_eq!(output as u64, taken);
}

#[test]
fn input_its_end_and_the_window_arrive() {
    let (mut console, device) = console("console=framed rows=24 cols=80", usize::MAX);
    assert_eq!(
        device.0.borrow().wakes,
        1,
        "the window is known from the start"
    );
    let first = console.read().unwrap();
    assert_eq!(
        (first.resized, first.rows, first.cols, first.end),
        (true, 24, 80, false)
    );
    device.0.borrow_mut().to_guest.extend(b"noise");
    send(&device, Kind::Input, b"ls\n");
    send(
        &device,
        Kind::Window,
        &Window {
            rows: 50,
            cols: 132,
        }
        .to_payload(),
    );
    send(&device, Kind::Window, b"odd");
    send(&device, Kind::End, b"");
    console.notified(1);
    assert_eq!(device.0.borrow().wakes, 2);
    let input = console.read().unwrap();
    assert_eq!(input.data.as_slice(), b"ls\n");
    assert_eq!(
        (input.resized, input.rows, input.cols, input.end),
        (true, 50, 132, true)
    );
    let after = console.read().unwrap();
    assert_eq!(
        (after.resized, after.end, after.data.as_slice().len()),
        (false, true, 0)
    );
    console.notified(1);
    assert_eq!(device.0.borrow().wakes, 2, "nothing new");
}

#[test]
fn input_waits_in_the_device_when_nobody_reads() {
    let (mut console, device) = console("console=framed", usize::MAX);
    let long: Vec<u8> = (0..20_000u32).map(|i| i as u8).collect();
    send(&device, Kind::Input, &long);
    send(&device, Kind::End, b"");
    console.notified(1);
    assert!(!device.0.borrow().rx_interrupts);
    assert!(device.0.borrow().to_guest.len() > 15_000);
    let mut got: Vec<u8> = Vec::new();
    loop {
        let input = console.read().unwrap();
        if input.end && input.data.as_slice().is_empty() {
            break;
        }
        assert!(
            !input.data.as_slice().is_empty(),
            "a reader that asks until it gets nothing gets everything"
        );
        got.extend(input.data.as_slice());
    }
    assert_eq!(got, long);
    assert!(device.0.borrow().rx_interrupts);
    assert!(device.0.borrow().acknowledged >= 2);
}
