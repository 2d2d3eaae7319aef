//! Cutting power-of-two blocks of memory: how far an untyped has been used, and what is left of it.
//!
//! The kernel hands out the memory of an untyped in ascending order, each object aligned to its size. [`Carve`] does the same
//! sums, so that its owner always knows what is left.

/// An untyped of `1 << bits` bytes of which the first `used` are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carve {
    bits: u8,
    used: u64,
}

/// A naturally aligned block: offset in the untyped and size as a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Bytes from the start of the untyped.
    pub offset: u64,
    /// Size as a power of two.
    pub bits: u8,
}

impl Carve {
    /// A fresh untyped; at most 2^63 bytes.
    pub const fn new(bits: u8) -> Carve {
        let bits = if bits > 63 { 63 } else { bits };
        Carve { bits, used: 0 }
    }

    /// Size as a power of two.
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// Bytes gone.
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// Whether nothing has been taken.
    pub const fn is_fresh(&self) -> bool {
        self.used == 0
    }

    fn size(&self) -> u64 {
        1 << self.bits
    }

    /// How many objects of `1 << bits` bytes still fit.
    pub fn room(&self, bits: u8) -> u64 {
        if bits > self.bits {
            return 0;
        }
        let start = self.used.next_multiple_of(1 << bits);
        self.size().saturating_sub(start) >> bits
    }

    /// Takes `count` objects of `1 << bits` bytes; where the first lies. `None` if they do not fit.
    pub fn take(&mut self, bits: u8, count: u64) -> Option<u64> {
        if count > self.room(bits) {
            return None;
        }
        let start = self.used.next_multiple_of(1 << bits);
        self.used = start + (count << bits);
        Some(start)
    }

    /// The largest block at the front of what is left.
    pub fn next_piece(&self) -> Option<Piece> {
        piece(self.used, self.size())
    }

    /// The largest block at the front of what lies before `offset`, to skip.
    pub fn gap_before(&self, offset: u64) -> Option<Piece> {
        piece(self.used, offset.min(self.size()))
    }
}

/// The largest naturally aligned block that starts at `from` and does not pass `to`.
fn piece(from: u64, to: u64) -> Option<Piece> {
    let len = to.checked_sub(from).filter(|len| *len > 0)?;
    let fit = len.ilog2();
    let align = if from == 0 { 63 } else { from.trailing_zeros() };
    Some(Piece {
        offset: from,
        bits: fit.min(align) as u8,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn objects_are_aligned_to_their_size() {
        let mut carve = Carve::new(16);
        assert_eq!(carve.take(4, 1), Some(0));
        assert_eq!(carve.take(12, 2), Some(0x1000));
        assert_eq!(carve.room(15), 1);
        assert_eq!(carve.take(15, 1), Some(0x8000));
        assert_eq!(carve.take(4, 1), None);
        assert_eq!(carve.room(17), 0);
        assert_eq!(carve.next_piece(), None);
    }

    #[test]
    fn pieces_cover_exactly_what_is_left() {
        for used in [0, 16, 0x1000, 0x3000, 0x5010, 0xfff0] {
            let mut carve = Carve::new(16);
            if used > 0 {
                carve.take(4, used >> 4).unwrap();
            }
            let mut at = used;
            let mut pieces = Vec::new();
            while let Some(piece) = carve.next_piece() {
                assert_eq!(piece.offset, at);
                assert_eq!(carve.take(piece.bits, 1), Some(at));
                at += 1 << piece.bits;
                pieces.push(piece);
            }
            assert_eq!(at, 1 << 16);
            assert!(pieces.len() <= 12);
        }
    }

    #[test]
    fn gaps_end_where_they_should() {
        let mut carve = Carve::new(25);
        let mut skipped = 0;
        while let Some(piece) = carve.gap_before(0x9000) {
            carve.take(piece.bits, 1).unwrap();
            skipped += 1u64 << piece.bits;
        }
        assert_eq!(skipped, 0x9000);
        assert_eq!(carve.take(12, 1), Some(0x9000));
        assert_eq!(carve.gap_before(0x9000), None);
    }
}
