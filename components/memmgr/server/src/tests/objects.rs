//! Memory objects, mapped and moved, and the initial archive.

use super::*;
use memmgr_api::{MemMgrService, Vmo};
use persona_ipc::Message;

fn file(w: &mut World, bytes: &[u8]) -> Vmo {
    let vmo = w.m.vmo_create(0).unwrap();
    assert_eq!(w.m.write_vmo(vmo, 0, bytes), Ok(bytes.len()));
    vmo
}

fn mapping(vmo: Vmo, len: u64, shared: bool) -> MapRequest {
    MapRequest {
        vmo: Some(vmo),
        shared,
        ..MapRequest::anonymous(len, RW)
    }
}

#[test]
fn objects_are_sparse_and_grow() {
    let mut w = World::new(256);
    let v = file(&mut w, b"hello");
    assert_eq!(w.m.write_vmo(v, 3 * P + 1, b"far"), Ok(3));
    assert_eq!(w.m.vmo_pages(v), Ok(2));
    let mut buf = [9; 8];
    assert_eq!(w.m.read_vmo(v, 3, &mut buf), Ok(8));
    assert_eq!(&buf, b"lo\0\0\0\0\0\0");
    assert_eq!(w.m.read_vmo(v, 3 * P, &mut buf), Ok(4));
    assert_eq!(w.m.read_vmo(v, 3 * P + 4, &mut buf), Ok(0));
    assert_eq!(w.m.read_vmo(v, u64::MAX, &mut buf), Ok(0));
    assert_eq!(w.m.write_vmo(v, u64::MAX, b"x"), Err(Errno::EFBIG));
    w.m.vmo_resize(v, 2).unwrap();
    w.m.vmo_resize(v, P).unwrap();
    assert_eq!(w.m.read_vmo(v, 0, &mut buf), Ok(8));
    assert_eq!(&buf, b"he\0\0\0\0\0\0", "what was cut off is zero");
    assert_eq!(w.m.vmo_pages(v), Ok(1));
    w.audit();
    w.m.vmo_ref(v).unwrap();
    w.m.vmo_drop(v).unwrap();
    assert_eq!(w.m.vmo_pages(v), Ok(1));
    w.m.vmo_drop(v).unwrap();
    assert_eq!(w.m.vmo_drop(v), Err(Errno::EINVAL));
    w.audit();
}

#[test]
fn shared_mappings_and_file_io_see_the_same_bytes() {
    let mut w = World::new(256);
    w.program(1);
    let v = file(&mut w, &[1; 100]);
    let a = w.m.map(at(1), mapping(v, 2 * P, true)).unwrap();
    assert_eq!(w.load(1, a + 99), Ok(1));
    w.put(1, a + 5, 77).unwrap();
    let mut buf = [0; 8];
    w.m.read_vmo(v, 4, &mut buf).unwrap();
    assert_eq!(buf[..2], [1, 77]);
    w.m.write_vmo(v, 6, &[88]).unwrap();
    assert_eq!(w.load(1, a + 6), Ok(88));
    assert_eq!(w.load(1, a + 200), Ok(0));
    assert_eq!(w.load(1, a + P), Err(FaultKind::BeyondEnd));
    assert_eq!(w.peek(1, a + P, 1), Err(Errno::EFAULT));
    w.m.write_vmo(v, P, &[5]).unwrap();
    assert_eq!(w.load(1, a + P), Ok(5));
    w.audit();
    w.m.vmo_resize(v, 10).unwrap();
    assert_eq!(w.load(1, a + P), Err(FaultKind::BeyondEnd));
    assert_eq!(w.load(1, a + 99), Ok(0));
    w.m.vmo_drop(v).unwrap();
    assert_eq!(w.load(1, a + 5), Ok(77), "the mapping holds it");
    w.audit();
    w.sys(1, 215, &[a, 2 * P]).unwrap();
    assert_eq!(w.m.vmo_pages(v), Err(Errno::EINVAL));
    w.audit();
}

#[test]
fn private_mappings_copy_on_write() {
    let mut w = World::new(256);
    let parent = w.program(1);
    let v = file(&mut w, &[1; 2 * 4096]);
    let a = w.m.map(at(1), mapping(v, 2 * P, false)).unwrap();
    assert_eq!(w.load(1, a), Ok(1));
    assert_eq!(w.load(1, a + P), Ok(1));
    w.put(1, a, 2).unwrap();
    w.m.write_vmo(v, 0, &[3]).unwrap();
    w.m.write_vmo(v, P, &[4]).unwrap();
    assert_eq!(w.load(1, a), Ok(2));
    assert_eq!(w.load(1, a + P), Ok(4));
    let (child, _) = w.m.mm_fork(parent).unwrap();
    w.m.attach(ThreadIdx(2), child).unwrap();
    assert_eq!(w.load(2, a), Ok(2));
    assert_eq!(w.load(2, a + P), Ok(4));
    w.put(2, a + P, 5).unwrap();
    assert_eq!(w.load(1, a + P), Ok(4));
    w.audit();
    w.m.vmo_resize(v, 0).unwrap();
    assert_eq!(
        w.load(1, a),
        Err(FaultKind::BeyondEnd),
        "private copies go too"
    );
    w.audit();
}

#[test]
fn elf_segments_end_in_zeros() {
    let mut w = World::new(256);
    w.program(1);
    let v = file(&mut w, &[7; 3 * 4096]);
    let request = MapRequest {
        valid: P + 100,
        off: P,
        ..mapping(v, 4 * P, false)
    };
    let a = w.m.map(at(1), request).unwrap();
    assert_eq!(w.load(1, a), Ok(7));
    assert_eq!(w.load(1, a + P + 99), Ok(7));
    assert_eq!(w.load(1, a + P + 100), Ok(0));
    assert_eq!(w.load(1, a + 3 * P), Ok(0));
    w.put(1, a + P + 100, 1).unwrap();
    w.put(1, a + 3 * P, 1).unwrap();
    assert_eq!(w.peek(1, a + P + 98, 3).unwrap(), [7, 7, 1]);
    let mut buf = [0; 1];
    w.m.read_vmo(v, 2 * P + 100, &mut buf).unwrap();
    assert_eq!(buf, [7]);
    w.audit();
}

#[test]
fn bytes_move_between_objects_and_programs() {
    let mut w = World::new(256);
    w.program(1);
    let a = w.map(1, 4);
    let pattern: Vec<u8> = (0..6000u32).map(|n| n as u8).collect();
    let v = file(&mut w, &pattern);
    assert_eq!(w.m.vmo_to_user(v, 10, at(1), a + 100, 99_999), Ok(5990));
    assert_eq!(w.peek(1, a + 100, 5990).unwrap(), pattern[10..]);
    assert_eq!(w.m.user_to_vmo(v, 20_000, at(1), a + 100, 3000), Ok(3000));
    let mut buf = vec![0; 3000];
    w.m.read_vmo(v, 20_000, &mut buf).unwrap();
    assert_eq!(buf, pattern[10..3010]);
    let end = a + 4 * P;
    assert_eq!(w.m.vmo_to_user(v, 0, at(1), end - 10, 50), Ok(10));
    assert_eq!(w.m.vmo_to_user(v, 0, at(1), end, 50), Err(Errno::EFAULT));
    assert_eq!(w.m.user_to_vmo(v, 0, at(1), end - 10, 50), Ok(10));
    assert_eq!(
        w.m.user_to_vmo(v, 0, at(1), u64::MAX - 3, 8),
        Err(Errno::EFAULT)
    );
    let u = w.m.vmo_create(0).unwrap();
    assert_eq!(w.m.vmo_copy(v, 5000, u, 1, 100_000), Ok(18_000));
    assert_eq!(w.m.vmo_pages(u), Ok(4), "the hole stays one");
    assert_eq!(w.m.vmo_copy(v, 1 << 40, u, 0, 10), Ok(0));
    w.audit();
}

#[test]
fn holes_can_be_punched() {
    let mut w = World::new(256);
    w.program(1);
    let v = file(&mut w, &[9; 4 * 4096]);
    let a = w.m.map(at(1), mapping(v, 4 * P, true)).unwrap();
    w.load(1, a).unwrap();
    w.m.vmo_zero(v, 100, 2 * P).unwrap();
    assert_eq!(w.m.vmo_pages(v), Ok(3));
    assert_eq!(w.load(1, a + 99), Ok(9));
    assert_eq!(w.load(1, a + 100), Ok(0));
    assert_eq!(w.load(1, a + P), Ok(0));
    assert_eq!(w.load(1, a + 2 * P + 99), Ok(0));
    assert_eq!(w.load(1, a + 2 * P + 100), Ok(9));
    w.m.vmo_zero(v, 3 * P + 1, 2).unwrap();
    assert_eq!(w.peek(1, a + 3 * P, 4).unwrap(), [9, 0, 0, 9]);
    w.m.vmo_zero(v, 1 << 30, 1 << 30).unwrap();
    w.audit();
    w.sys(1, 233, &[a, 4 * P, 9]).unwrap();
    assert_eq!(w.m.vmo_pages(v), Ok(0));
    w.audit();
}

#[test]
fn the_archive_s_pages_change_hands() {
    let mut archive = vec![0u8; 5 * 4096 + 123];
    for (at, byte) in archive.iter_mut().enumerate() {
        *byte = (at / 4096 + 1) as u8;
    }
    let mut w = World::with_archive(64, &archive);
    assert_eq!(w.m.initrd_size(), Ok(archive.len() as u64));
    let chunk = w.m.initrd_read(4090, 100).unwrap();
    assert_eq!(chunk.as_slice(), &archive[4090..4190]);
    assert_eq!(
        w.m.initrd_read(archive.len() as u64, 5).unwrap().as_slice(),
        b""
    );
    assert!(w.m.initrd_read(u64::MAX, 5).is_err());
    let free = w.m.stats().unwrap().free;
    let v = w.m.initrd_vmo(P, 2 * P + 10).unwrap();
    assert_eq!(
        w.m.stats().unwrap().free,
        free - P,
        "only the last page is a copy"
    );
    let mut buf = vec![9; 3 * 4096];
    assert_eq!(w.m.read_vmo(v, 0, &mut buf), Ok(2 * 4096 + 10));
    assert_eq!(buf[..2 * 4096 + 10], archive[4096..3 * 4096 + 10]);
    w.m.vmo_resize(v, 3 * P).unwrap();
    w.m.read_vmo(v, 2 * P, &mut buf).unwrap();
    assert_eq!(buf[10..20], [0; 10]);
    let again = w.m.initrd_vmo(P, P).unwrap();
    w.m.write_vmo(again, 0, &[99]).unwrap();
    w.m.read_vmo(v, 0, &mut buf).unwrap();
    assert_eq!(buf[0], 2, "a second object has its own copy");
    assert_eq!(w.m.initrd_vmo(1, P), Err(Errno::EINVAL));
    assert_eq!(w.m.initrd_vmo(0, 1 << 40), Err(Errno::EINVAL));
    w.audit();
    w.m.initrd_done().unwrap();
    w.audit();
    assert_eq!(w.m.initrd_size(), Ok(0));
    w.m.vmo_drop(v).unwrap();
    w.m.vmo_drop(again).unwrap();
    w.audit();
    w.program(1);
    let a = w.map(1, 60);
    for page in 0..60 {
        assert_eq!(
            w.load(1, a + page * P),
            Ok(0),
            "the archive's bytes are gone"
        );
    }
}

#[test]
fn bulk_copies_go_through_the_client_s_buffer() {
    let mut w = World::new(256);
    w.program(1);
    let a = w.map(1, 4);
    w.poke(1, a, &[5; 9000]).unwrap();
    let mut message = Message::new();
    let mut ask = |w: &mut World, label: u32, words: &[u64]| {
        let mut writer = message.writer();
        words.iter().for_each(|&word| writer.word(word));
        message.label = label;
        w.m.request(0, 1, &mut message);
        (message.label, message.words[0], message.words[1])
    };
    assert_eq!(ask(&mut w, 33, &[1, a, 9000]), (0, 0, 9000));
    assert_eq!(ask(&mut w, 34, &[1, a + 2 * P, 99_999]), (0, 0, 2 * P));
    assert_eq!(w.peek(1, a + 2 * P + 8000, 2).unwrap(), [5, 5]);
    let v = w.m.vmo_create(0).unwrap();
    assert_eq!(ask(&mut w, 36, &[u64::from(v.0), 10, 100]), (0, 0, 100));
    assert_eq!(ask(&mut w, 35, &[u64::from(v.0), 0, 1000]), (0, 0, 110));
    assert_eq!(ask(&mut w, 33, &[1, 0, 10]).1, 14, "EFAULT");
    assert_eq!(ask(&mut w, 99, &[]).0, 1);
    assert_eq!(
        w.m.fetch_bulk(at(1), a, 10),
        Err(Errno::EINVAL),
        "no client, no buffer"
    );
    let small = w.m.fetch_small(at(1), a, 9).unwrap();
    assert_eq!(small, (0x0505_0505_0505_0505, 5));
    assert_eq!(w.m.fetch_small(at(1), a, 17), Err(Errno::EINVAL));
}
