//! Archives are read back by a reader that is not ours, and the alignment promise is kept.

use image_packer::cpio::{find as find_data, write, PAGE};
use image_packer::tree::{Kind, Node, Tree};
use proptest::prelude::*;

/// Name, `st_mode`, data, nlink, inode of every entry; the offset of the data in the archive.
struct Got {
    name: String,
    mode: u32,
    data: Vec<u8>,
    offset: usize,
    ino: u32,
    nlink: u32,
    rdev: (Option<u32>, Option<u32>),
    owner: (u32, u32),
}

fn read(archive: &[u8]) -> Vec<Got> {
    cpio_reader::iter_files(archive)
        .map(|entry| Got {
            name: entry.name().trim_end_matches('\0').to_owned(),
            mode: entry.mode().bits(),
            data: entry.file().to_vec(),
            offset: entry.file().as_ptr() as usize - archive.as_ptr() as usize,
            ino: entry.ino(),
            nlink: entry.nlink(),
            rdev: (entry.rdevmajor(), entry.rdevminor()),
            owner: (entry.uid(), entry.gid()),
        })
        .collect()
}

fn find<'a>(got: &'a [Got], name: &str) -> &'a Got {
    got.iter()
        .find(|got| got.name == name)
        .unwrap_or_else(|| panic!("no entry {name}"))
}

#[test]
fn every_kind_arrives() {
    let mut tree = Tree::new();
    tree.put(
        "dev/console",
        Node::new(Kind::Char { major: 5, minor: 1 }, 0o600),
    )
    .unwrap();
    tree.put(
        "dev/disk",
        Node::new(
            Kind::Block {
                major: 8,
                minor: 300,
            },
            0o660,
        ),
    )
    .unwrap();
    tree.put("tmp", Node::new(Kind::Dir, 0o1777)).unwrap();
    tree.put(
        "bin/sh",
        Node::new(Kind::Symlink("/bin/busybox".into()), 0o777),
    )
    .unwrap();
    tree.put("run/pipe", Node::new(Kind::Fifo, 0o644)).unwrap();
    let mut owned = Node::new(Kind::File(b"hello".to_vec()), 0o4755);
    (owned.uid, owned.gid) = (1000, 5);
    tree.put("bin/hello", owned).unwrap();

    let got = read(&write(&tree).unwrap());
    assert_eq!(got[0].name, ".");
    let archive = write(&tree).unwrap();
    assert_eq!(find_data(&archive, "bin/hello"), Some(&b"hello"[..]));
    assert_eq!(find_data(&archive, "bin/none"), None);
    let console = find(&got, "dev/console");
    assert_eq!(
        (console.mode, console.rdev),
        (0o020_600, (Some(5), Some(1)))
    );
    assert_eq!(find(&got, "dev/disk").rdev, (Some(8), Some(300)));
    assert_eq!(find(&got, "tmp").mode, 0o041_777);
    assert_eq!(find(&got, "bin/sh").data, b"/bin/busybox");
    assert_eq!(find(&got, "run/pipe").mode, 0o010_644);
    let hello = find(&got, "bin/hello");
    assert_eq!(
        (hello.mode, hello.owner, hello.data.as_slice()),
        (0o104_755, (1000, 5), &b"hello"[..])
    );
}

#[test]
fn the_first_name_of_a_file_carries_its_data() {
    let mut tree = Tree::new();
    tree.put("b", Node::new(Kind::File(vec![9; 5000]), 0o755))
        .unwrap();
    tree.put("a", Node::new(Kind::HardLink("b".into()), 0))
        .unwrap();
    tree.put("c", Node::new(Kind::HardLink("b".into()), 0))
        .unwrap();
    let got = read(&write(&tree).unwrap());
    let sizes: Vec<_> = ["a", "b", "c"]
        .iter()
        .map(|name| find(&got, name))
        .map(|got| (got.data.len(), got.nlink, got.mode))
        .collect();
    assert_eq!(
        sizes,
        [(5000, 3, 0o100_755), (0, 3, 0o100_755), (0, 3, 0o100_755)]
    );
    assert!(["a", "c"]
        .iter()
        .all(|name| find(&got, name).ino == find(&got, "b").ino));
    tree.put("d", Node::new(Kind::HardLink("none".into()), 0))
        .unwrap();
    assert!(write(&tree).is_err());
}

proptest! {
    #[test]
    fn large_files_are_page_aligned(
        files in prop::collection::btree_map("[a-z]{1,40}", prop_oneof![0usize..200, 3900usize..9000], 1..12),
        long in 1usize..4000,
    ) {
        let mut tree = Tree::new();
        for (number, (name, size)) in (0u8..).zip(&files) {
            tree.put(name, Node::new(Kind::File(vec![number; *size]), 0o644)).unwrap();
        }
        let long = format!("{}{}", "L/".repeat(long / 100), "X".repeat(long % 100 + 1));
        tree.put(&long, Node::new(Kind::File(vec![0xEE; PAGE]), 0o644)).unwrap();
        let archive = write(&tree).unwrap();
        prop_assert_eq!(archive.len() % PAGE, 0);
        let got = read(&archive);
        for (number, (name, size)) in (0u8..).zip(&files) {
            let got = find(&got, name);
            prop_assert_eq!(&got.data, &vec![number; *size]);
            prop_assert!(*size < PAGE || got.offset.is_multiple_of(PAGE), "{} at {}", name, got.offset);
        }
        prop_assert_eq!(find(&got, &long).offset % PAGE, 0);
    }
}

#[test]
fn no_name_outgrows_what_linux_takes() {
    // Whatever precedes it, the page-aligned file's padded name stays within PATH_MAX.
    for filler in (0..PAGE).step_by(4) {
        let mut tree = Tree::new();
        tree.put("a", Node::new(Kind::File(vec![1; filler % PAGE]), 0o644))
            .unwrap();
        tree.put("b", Node::new(Kind::File(vec![2; PAGE]), 0o644))
            .unwrap();
        let archive = write(&tree).unwrap();
        let mut at = 0;
        loop {
            let number = |index: usize| {
                let digits = &archive[at + 6 + 8 * index..][..8];
                usize::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()
            };
            let (size, namesize) = (number(6), number(11));
            assert!(
                namesize <= 4096,
                "namesize {namesize} with a filler of {filler}"
            );
            let name = at + 110;
            let data = (name + namesize).next_multiple_of(4);
            if archive[name..].starts_with(b"TRAILER!!!\0") {
                break;
            }
            assert!(size < PAGE || data % PAGE == 0);
            at = (data + size).next_multiple_of(4);
        }
    }
}
