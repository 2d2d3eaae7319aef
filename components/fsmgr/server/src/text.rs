//! Writing text for /proc.

use alloc::vec::Vec;
use core::fmt;

/// Bytes that can be written to with `write!`.
#[derive(Default)]
pub struct Text(pub Vec<u8>);

impl fmt::Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0.extend_from_slice(s.as_bytes());
        Ok(())
    }
}

impl Text {
    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Appends a name with blanks, tabs, newlines, backslashes in octal, as /proc/mounts does.
    pub fn escaped(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if matches!(byte, b' ' | b'\t' | b'\n' | b'\\') {
                self.0.push(b'\\');
                for shift in [6, 3, 0] {
                    self.0.push(b'0' + (byte >> shift & 7));
                }
            } else {
                self.0.push(byte);
            }
        }
    }
}

/// Appends a number in decimal.
pub fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        at -= 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// A number in decimal without sign, blanks, or leading zeros; `None` if it is none, or does not fit.
pub fn parse_number(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 10 || (text.len() > 1 && text[0] == b'0') {
        return None;
    }
    text.iter().try_fold(0u32, |value, &byte| {
        let digit = byte.checked_sub(b'0').filter(|d| *d < 10)?;
        value.checked_mul(10)?.checked_add(u32::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_there_and_back() {
        for value in [0u32, 7, 10, 4_294_967_295] {
            let mut out = Vec::new();
            number(&mut out, u64::from(value));
            assert_eq!(parse_number(&out), Some(value));
        }
        for bad in [&b""[..], b"01", b"-1", b"4294967296", b"1x"] {
            assert_eq!(parse_number(bad), None);
        }
        let mut out = Vec::new();
        number(&mut out, u64::MAX);
        assert_eq!(out, b"18446744073709551615");
    }
}
