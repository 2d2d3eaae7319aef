//! The kernel's table of memory regions, `boot_regions_t` in `images/kernel/overlay`.

use crate::range::{Range, Ranges};
use crate::Error;

/// First word of the table: "PESREGS1".
const MAGIC: u64 = u64::from_le_bytes(*b"PESREGS1");
const MAX_AVAIL: usize = 16;
const MAX_DEV: usize = 24;

/// Bytes of the counts in front, and of one region.
const HEAD: usize = 3 * 8;
const REGION: usize = 2 * 8;

/// Bytes of the table.
pub const LEN: usize = HEAD + (MAX_AVAIL + MAX_DEV) * REGION;

/// Enters the regions into the table at the start of `table`: RAM, and additional device regions.
pub fn fill(table: &mut [u8], avail: &Ranges, dev: &Ranges) -> Result<(), Error> {
    let table: &mut [u8; LEN] = table.first_chunk_mut().ok_or(Error::RegionTable)?;
    let old_dev = usize::try_from(word(table, 2)?).map_err(|_| Error::RegionTable)?;
    if word(table, 0)? != MAGIC || old_dev > MAX_DEV {
        return Err(Error::RegionTable);
    }
    if avail.as_slice().len() > MAX_AVAIL {
        return Err(Error::TooMany("regions of RAM"));
    }
    if old_dev + dev.as_slice().len() > MAX_DEV {
        return Err(Error::TooMany("device regions"));
    }
    put(table, 1, avail.as_slice().len() as u64)?;
    put(table, 2, (old_dev + dev.as_slice().len()) as u64)?;
    let lists = [(0, avail), (MAX_AVAIL + old_dev, dev)];
    for (first, list) in lists {
        for (index, Range { start, end }) in list.as_slice().iter().enumerate() {
            let place = (HEAD + (first + index) * REGION) / 8;
            put(table, place, *start)?;
            put(table, place + 1, *end)?;
        }
    }
    Ok(())
}

fn word(table: &[u8; LEN], index: usize) -> Result<u64, Error> {
    let bytes = table
        .get(index * 8..)
        .and_then(<[u8]>::first_chunk)
        .ok_or(Error::RegionTable)?;
    Ok(u64::from_le_bytes(*bytes))
}

fn put(table: &mut [u8; LEN], index: usize, value: u64) -> Result<(), Error> {
    let bytes = table
        .get_mut(index * 8..)
        .and_then(<[u8]>::first_chunk_mut)
        .ok_or(Error::RegionTable)?;
    *bytes = value.to_le_bytes();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(ranges: &[(u64, u64)]) -> Ranges {
        let mut list = Ranges::new("ranges");
        for (start, end) in ranges {
            list.push(Range::new(*start, *end)).unwrap();
        }
        list
    }

    #[test]
    fn adds_to_the_boards_devices() {
        let mut table = std::vec![0; LEN + 8];
        table[..8].copy_from_slice(b"PESREGS1");
        table[16] = 2;
        fill(&mut table, &list(&[(1, 2)]), &list(&[(3, 4)])).unwrap();
        let words: std::vec::Vec<u64> = table
            .chunks(8)
            .map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap()))
            .collect();
        assert_eq!(words[1..3], [1, 3]);
        assert_eq!(words[3..5], [1, 2]);
        assert_eq!(words[3 + 2 * (16 + 2)..][..2], [3, 4]);
        assert_eq!(words[LEN / 8], 0);
    }

    #[test]
    fn refuses_another_table() {
        let none = list(&[]);
        assert_eq!(fill(&mut [0; LEN], &none, &none), Err(Error::RegionTable));
        assert_eq!(fill(&mut [0; 8], &none, &none), Err(Error::RegionTable));
        let mut table = std::vec![0; LEN];
        table[..8].copy_from_slice(b"PESREGS1");
        table[16] = 24;
        assert_eq!(
            fill(&mut table, &none, &list(&[(1, 2)])),
            Err(Error::TooMany("device regions"))
        );
    }
}
