//! The run's settings: `key=value` pairs from the kernel command line, values percent-encoded.

use alloc::string::String;
use alloc::vec::Vec;

/// Parsed boot arguments, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootArgs {
    pairs: Vec<(String, Vec<u8>)>,
}

impl BootArgs {
    /// Parses a command line. Words without `=` have an empty value; a broken escape stands for itself.
    pub fn parse(line: &str) -> Self {
        let pairs = line
            .split_ascii_whitespace()
            .map(|word| match word.split_once('=') {
                Some((key, value)) => (String::from(key), decode(value.as_bytes())),
                None => (String::from(word), Vec::new()),
            })
            .collect();
        BootArgs { pairs }
    }

    /// The last value given for `key`.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.pairs
            .iter()
            .rev()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_slice())
    }

    /// The last value given for `key`, as text.
    pub fn get_str(&self, key: &str) -> Option<&str> {
        core::str::from_utf8(self.get(key)?).ok()
    }

    /// The last value given for `key`, as a decimal number.
    pub fn get_u64(&self, key: &str) -> Option<u64> {
        self.get_str(key)?.parse().ok()
    }

    /// All values given for `key`, in order.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.pairs
            .iter()
            .filter(move |(k, _)| k == key)
            .map(|(_, v)| v.as_slice())
    }
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            if let [high, low, ..] = *tail {
                if let (Some(high), Some(low)) =
                    ((high as char).to_digit(16), (low as char).to_digit(16))
                {
                    out.push((high * 16 + low) as u8);
                    rest = &tail[2..];
                    continue;
                }
            }
        }
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_escapes_and_repeats() {
        let args = BootArgs::parse(
            "console=framed arg=sh arg=-c arg=echo%20%22hi%22 rows=24 flag bad=%zz%4",
        );
        assert_eq!(args.get("console"), Some(&b"framed"[..]));
        assert_eq!(
            args.all("arg").collect::<Vec<_>>(),
            [&b"sh"[..], b"-c", b"echo \"hi\""]
        );
        assert_eq!(args.get_u64("rows"), Some(24));
        assert_eq!(args.get("flag"), Some(&b""[..]));
        assert_eq!(args.get("bad"), Some(&b"%zz%4"[..]));
        assert_eq!(args.get("none"), None);
    }
}
