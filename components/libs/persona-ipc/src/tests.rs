use crate::{Bytes, Chunk, Message, Shared, Wire, BAD_MESSAGE, CHUNK_BYTES};
use lsyscall_abi::Errno;

crate::interface! {
    /// A counter, for the test.
    pub interface Counter, CounterService, CounterClient, counter_dispatch {
        /// Adds.
        1 => fn add(by: u64) -> u64;
        /// Fails.
        2 => fn fail(why: i32) -> ();
        /// Reverses bytes.
        3 => fn reverse(data: Bytes) -> Chunk;
    }
}

struct Server(u64);

impl CounterService for Server {
    fn add(&mut self, by: u64) -> Result<u64, Errno> {
        self.0 += by;
        Ok(self.0)
    }
    fn fail(&mut self, why: i32) -> Result<(), Errno> {
        Err(Errno::from_raw(why).unwrap_or(Errno::EINVAL))
    }
    fn reverse(&mut self, data: Bytes) -> Result<Chunk, Errno> {
        let mut bytes: alloc::vec::Vec<u8> = data.as_slice().to_vec();
        bytes.reverse();
        Ok(Chunk::new(&bytes))
    }
}

fn check(counter: impl Counter) {
    assert_eq!(counter.add(3), Ok(3));
    assert_eq!(counter.add(4), Ok(7));
    assert_eq!(counter.fail(2), Err(Errno::ENOENT));
    assert_eq!(
        counter.reverse(Chunk::new(b"persona")).unwrap().as_slice(),
        b"anosrep"
    );
    let full = [7u8; CHUNK_BYTES];
    assert_eq!(
        counter.reverse(Chunk::new(&full)).unwrap().as_slice(),
        &full
    );
}

#[test]
fn direct_and_remote_calls_agree() {
    let shared = Shared::new(Server(0));
    check(shared);
    let remote = Shared::new(Server(0));
    check(CounterClient(move |m: &mut Message| {
        counter_dispatch(&mut *remote.server(), m)
    }));
}

#[test]
fn a_message_that_does_not_decode_is_refused() {
    let mut server = Server(0);
    for (label, len) in [(1, 0), (9, 3), (3, 0)] {
        let mut message = Message::new();
        message.label = label;
        message.len = len;
        counter_dispatch(&mut server, &mut message);
        assert_eq!(message.label, BAD_MESSAGE);
    }
    let mut message = Message::new();
    message.writer().word(u64::MAX);
    assert!(Chunk::get(&mut message.reader()).is_none());
    assert_eq!(server.0, 0);
}
