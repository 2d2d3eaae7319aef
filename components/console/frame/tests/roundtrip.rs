//! What is encoded comes out again, however the line cuts it; garbage does no harm.

use console_frame::{encode, exit, window, Decoder, Event, Exit, Kind, Window};
use proptest::prelude::*;

/// The stream's contents, pieces joined.
#[derive(Clone, Debug, PartialEq)]
enum Item {
    Raw(Vec<u8>),
    Frame(Kind, Vec<u8>),
}

fn collect(decoder: &mut Decoder, bytes: &[u8], items: &mut Vec<Item>) {
    decoder.feed(bytes, |event| match event {
        Event::Raw(raw) => match items.last_mut() {
            Some(Item::Raw(before)) => before.extend(raw),
            _ => items.push(Item::Raw(raw.to_vec())),
        },
        Event::Begin { kind, .. } => items.push(Item::Frame(kind, Vec::new())),
        Event::Data { kind, bytes, .. } => match items.last_mut() {
            Some(Item::Frame(last, payload)) if *last == kind => payload.extend(bytes),
            other => panic!("payload of {kind:?} without its frame, after {other:?}"),
        },
    });
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![
        Kind::Output,
        Kind::Log,
        Kind::Trace,
        Kind::Exit,
        Kind::Ready,
        Kind::Input,
        Kind::End,
        Kind::Window,
    ])
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let raw = prop::collection::vec(0u8..0xFF, 1..20).prop_map(Item::Raw);
    let frame = (kinds(), prop::collection::vec(any::<u8>(), 0..600))
        .prop_map(|(kind, data)| Item::Frame(kind, data));
    prop::collection::vec(prop_oneof![raw, frame], 0..12)
}

fn write(items: &[Item]) -> Vec<u8> {
    let mut line = Vec::new();
    for item in items {
        match item {
            Item::Raw(raw) => line.extend(raw),
            Item::Frame(kind, payload) => encode(*kind, payload, |bytes| line.extend(bytes)),
        }
    }
    line
}

/// Adjacent raw items are one in the stream.
fn joined(items: Vec<Item>) -> Vec<Item> {
    let mut out: Vec<Item> = Vec::new();
    for item in items {
        match (out.last_mut(), item) {
            (Some(Item::Raw(before)), Item::Raw(raw)) => before.extend(raw),
            (_, item) => out.push(item),
        }
    }
    out
}

proptest! {
    #[test]
    fn survives_any_cut(items in items(), step in 1usize..40) {
        let line = write(&items);
        let mut decoder = Decoder::new();
        let mut got = Vec::new();
        for piece in line.chunks(step) {
            collect(&mut decoder, piece, &mut got);
        }
        prop_assert!(decoder.between_frames());
        prop_assert_eq!(joined(got), joined(items));
    }

    #[test]
    fn garbage_is_harmless(bytes in prop::collection::vec(prop_oneof![Just(0xFFu8), any::<u8>()], 0..2000)) {
        let mut whole = 0usize;
        Decoder::new().feed(&bytes, |event| match event {
            Event::Raw(raw) => whole += raw.len(),
            Event::Begin { .. } => whole += 4,
            Event::Data { bytes, .. } => {
                assert!(!bytes.is_empty());
                whole += bytes.len();
            }
        });
        // Only an unfinished header at the end goes uncounted.
        prop_assert!(whole <= bytes.len() && bytes.len() - whole <= 3);
    }

    #[test]
    fn exits_round_trip(value in any::<i32>()) {
        for exit in [Exit::Exited(value), Exit::Killed(value), Exit::System(value)] {
            prop_assert_eq!(Exit::from_payload(&exit.to_payload()), Some(exit));
        }
    }

    #[test]
    fn windows_round_trip(rows in any::<u16>(), cols in any::<u16>()) {
        let size = Window { rows, cols };
        prop_assert_eq!(Window::from_payload(&size.to_payload()), Some(size));
    }
}

#[test]
fn a_long_payload_takes_several_frames() {
    let data = vec![7u8; 70_000];
    let mut line = Vec::new();
    encode(Kind::Output, &data, |bytes| line.extend(bytes));
    let mut items = Vec::new();
    collect(&mut Decoder::new(), &line, &mut items);
    assert_eq!(items.len(), 2);
    let total: usize = items
        .iter()
        .map(|item| {
            if let Item::Frame(Kind::Output, data) = item {
                data.len()
            } else {
                0
            }
        })
        .sum();
    assert_eq!(total, data.len());
}

#[test]
fn whole_frames_have_the_documented_bytes() {
    assert_eq!(exit(Exit::Killed(11)), [0xFF, b'X', 5, 0, 1, 11, 0, 0, 0]);
    assert_eq!(
        window(Window { rows: 24, cols: 80 }),
        [0xFF, b'W', 4, 0, 24, 0, 80, 0]
    );
}

#[test]
fn wrong_payloads_are_refused() {
    assert_eq!(Exit::from_payload(&[0, 1, 2, 3]), None);
    assert_eq!(Exit::from_payload(&[3, 0, 0, 0, 0]), None);
    assert_eq!(Window::from_payload(&[1, 2, 3]), None);
}
