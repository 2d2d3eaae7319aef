//! Files.

layout! {
    /// struct stat (arm64).
    Stat(128) {
        /// Device.
        dev: u64,
        /// Inode number.
        ino: u64,
        /// Type and permissions.
        mode: u32,
        /// Links.
        nlink: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// Device it stands for.
        rdev: u64,
        /// Padding.
        pad1: u64,
        /// Bytes.
        size: i64,
        /// Good size of a read.
        blksize: i32,
        /// Padding.
        pad2: i32,
        /// Units of 512 bytes.
        blocks: i64,
        /// Access time, seconds.
        atime: i64,
        /// Its nanoseconds.
        atime_nsec: u64,
        /// Modification time, seconds.
        mtime: i64,
        /// Its nanoseconds.
        mtime_nsec: u64,
        /// Change time, seconds.
        ctime: i64,
        /// Its nanoseconds.
        ctime_nsec: u64,
        /// Unused.
        unused: [u32; 2],
    }
    /// struct statx_timestamp.
    StatxTime(16) {
        /// Seconds.
        sec: i64,
        /// Nanoseconds.
        nsec: u32,
        /// Padding.
        pad: i32,
    }
    /// struct statx.
    Statx(256) {
        /// Which fields are filled.
        mask: u32,
        /// Good size of a read.
        blksize: u32,
        /// Attributes.
        attributes: u64,
        /// Links.
        nlink: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// Type and permissions.
        mode: u16,
        /// Padding.
        pad0: u16,
        /// Inode number.
        ino: u64,
        /// Bytes.
        size: u64,
        /// Units of 512 bytes.
        blocks: u64,
        /// Which attributes are supported.
        attributes_mask: u64,
        /// Access time.
        atime: StatxTime,
        /// Birth time.
        btime: StatxTime,
        /// Change time.
        ctime: StatxTime,
        /// Modification time.
        mtime: StatxTime,
        /// Device it stands for: major.
        rdev_major: u32,
        /// Device it stands for: minor.
        rdev_minor: u32,
        /// Device: major.
        dev_major: u32,
        /// Device: minor.
        dev_minor: u32,
        /// Mount.
        mnt_id: u64,
        /// Alignment of memory for direct I/O.
        dio_mem_align: u32,
        /// Alignment of offsets for direct I/O.
        dio_offset_align: u32,
        /// Unused.
        unused: [u64; 12],
    }
    /// struct statfs (64 bit).
    Statfs(120) {
        /// Magic number.
        kind: i64,
        /// Block size.
        bsize: i64,
        /// Blocks.
        blocks: u64,
        /// Free blocks.
        bfree: u64,
        /// Free blocks for all.
        bavail: u64,
        /// Inodes.
        files: u64,
        /// Free inodes.
        ffree: u64,
        /// Identity.
        fsid: [i32; 2],
        /// Longest name.
        namelen: i64,
        /// Fragment size.
        frsize: i64,
        /// Mount flags.
        flags: i64,
        /// Unused.
        unused: [i64; 4],
    }
    /// struct flock.
    Flock(32) {
        /// F_RDLCK, F_WRLCK, F_UNLCK.
        kind: i16,
        /// From where `start` counts.
        whence: i16,
        /// Padding.
        pad0: u32,
        /// First byte.
        start: i64,
        /// Bytes; 0: to the end.
        len: i64,
        /// Who holds it.
        pid: i32,
        /// Padding.
        pad1: u32,
    }
}

/// Writer of struct linux_dirent64 records (getdents64(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dirent64 {
    /// Inode number.
    pub ino: u64,
    /// Where the next entry starts, for lseek.
    pub off: i64,
    /// `DT_*`.
    pub kind: u8,
}

impl Dirent64 {
    /// Bytes in front of the name.
    pub const HEADER: usize = 19;

    /// Bytes of the record of an entry whose name has `name_len` bytes: a NUL follows, and the next record is aligned to 8.
    pub const fn record_len(name_len: usize) -> usize {
        (Self::HEADER + name_len + 1).next_multiple_of(8)
    }

    /// Writes the record to the start of `buf`; the number of bytes, or `None` if it does not fit (or the name is too long
    /// for any record).
    pub fn write(&self, name: &[u8], buf: &mut [u8]) -> Option<usize> {
        let len = Self::record_len(name.len());
        let reclen = u16::try_from(len).ok()?;
        let record = buf.get_mut(..len)?;
        record.fill(0);
        let mut at = 0;
        for part in [
            &self.ino.to_le_bytes()[..],
            &self.off.to_le_bytes(),
            &reclen.to_le_bytes(),
            &[self.kind],
            name,
        ] {
            record.get_mut(at..at + part.len())?.copy_from_slice(part);
            at += part.len();
        }
        Some(len)
    }
}
