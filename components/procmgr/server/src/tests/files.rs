//! The files there are.

use super::driver::TEXT;

/// A program of one page of text and four of data at [`DATA`].
pub fn program() -> Vec<u8> {
    let mut f = vec![0u8; 512];
    let mut put = |at: usize, bytes: &[u8]| f[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &2u16.to_le_bytes());
    put(18, &183u16.to_le_bytes());
    put(24, &TEXT.to_le_bytes());
    put(32, &64u64.to_le_bytes());
    put(52, &64u16.to_le_bytes());
    put(54, &56u16.to_le_bytes());
    put(56, &1u16.to_le_bytes());
    put(64, &1u32.to_le_bytes());
    put(68, &7u32.to_le_bytes());
    put(80, &0x40_0000u64.to_le_bytes());
    put(96, &512u64.to_le_bytes());
    put(104, &0x5000u64.to_le_bytes());
    f
}

/// Path, contents, mode.
pub fn all() -> Vec<(&'static str, Vec<u8>, u32)> {
    let mut script = b"#!/bin/init -s\n".to_vec();
    script.extend_from_slice(b"echo");
    let mut dynamic = program();
    dynamic[56..58].copy_from_slice(&2u16.to_le_bytes());
    dynamic[120..124].copy_from_slice(&3u32.to_le_bytes());
    dynamic[128..136].copy_from_slice(&400u64.to_le_bytes());
    dynamic[152..160].copy_from_slice(&8u64.to_le_bytes());
    dynamic[400..407].copy_from_slice(b"/lib/ld");
    vec![
        ("/bin/init", program(), 0o755),
        ("/bin/prog", program(), 0o755),
        ("/bin/suid", program(), 0o4755),
        ("/bin/script", script, 0o755),
        ("/bin/loop", b"#!/bin/loop\n".to_vec(), 0o755),
        ("/bin/orphan", b"#!/bin/nobody\n".to_vec(), 0o755),
        ("/bin/text", b"hello".to_vec(), 0o755),
        ("/bin/empty", Vec::new(), 0o755),
        ("/bin/dynamic", dynamic, 0o755),
    ]
}
