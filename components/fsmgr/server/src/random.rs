//! Random bytes: ChaCha20, rekeyed after every request so that what was given out cannot be worked out later.

use alloc::vec::Vec;
use chacha20::rand_core::{Rng, SeedableRng};
use chacha20::ChaCha20Rng;

/// The generator behind /dev/random, /dev/urandom and the ids in /proc.
pub struct Random {
    key: [u8; 32],
}

impl Random {
    /// From the run's seed (any bytes, taken as they are) and the counter of the clock.
    pub fn new(seed: &[u8], clock: u64) -> Self {
        let mut random = Random { key: [0; 32] };
        random.mix(seed);
        random.mix(&clock.to_le_bytes());
        random
    }

    /// Mixes more bytes in.
    pub fn mix(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(32) {
            for (key, byte) in self.key.iter_mut().zip(piece) {
                *key ^= byte;
            }
            let mut next = [0; 32];
            self.fill(&mut next);
            self.key = next;
        }
    }

    /// Fills a buffer.
    pub fn fill(&mut self, out: &mut [u8]) {
        let mut stream = ChaCha20Rng::from_seed(self.key);
        stream.fill_bytes(&mut self.key);
        stream.fill_bytes(out);
    }

    /// So many random bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut out = alloc::vec![0; len];
        self.fill(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_matter_and_nothing_repeats() {
        let mut one = Random::new(b"seed", 1);
        let mut two = Random::new(b"seed", 2);
        let (a, b, c) = (one.bytes(40), one.bytes(40), two.bytes(40));
        assert!(a != b && a != c && b != c);
        assert_eq!(Random::new(b"seed", 1).bytes(40), a);
    }
}
