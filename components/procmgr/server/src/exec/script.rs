//! `#!` lines (execve(2), "Interpreter scripts").

use alloc::vec::Vec;

/// Longest line that is looked at (BINPRM_BUF_SIZE).
const MAX_LINE: usize = 256;

/// A parsed line.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Path of the interpreter.
    pub interpreter: Vec<u8>,
    /// Its one argument, if any: the rest of the line.
    pub argument: Option<Vec<u8>>,
}

/// Parses the line at the start of a file; `None` if it names no interpreter or is cut off within its name.
pub fn parse(head: &[u8]) -> Option<Line> {
    let window = &head[..head.len().min(MAX_LINE)];
    let text = window.strip_prefix(b"#!")?;
    let newline = text.iter().position(|&b| b == b'\n');
    let line = &text[..newline.unwrap_or(text.len())];
    let line = line.trim_ascii();
    let end = line
        .iter()
        .position(|b| *b == b' ' || *b == b'\t' || *b == 0);
    if end.is_none() && newline.is_none() && head.len() >= MAX_LINE {
        return None;
    }
    let interpreter = line[..end.unwrap_or(line.len())].to_vec();
    if interpreter.is_empty() {
        return None;
    }
    let argument = end
        .map(|end| line[end..].trim_ascii())
        .filter(|a| !a.is_empty())
        .map(<[u8]>::to_vec);
    Some(Line {
        interpreter,
        argument,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let line = |text: &[u8]| parse(text).map(|l| (l.interpreter, l.argument));
        assert_eq!(line(b"#!/bin/sh\necho"), Some((b"/bin/sh".to_vec(), None)));
        assert_eq!(
            line(b"#! /bin/sh  -e x \n"),
            Some((b"/bin/sh".to_vec(), Some(b"-e x".to_vec())))
        );
        assert_eq!(line(b"#!/bin/sh"), Some((b"/bin/sh".to_vec(), None)));
        assert_eq!(line(b"#!  \n"), None);
        assert_eq!(line(b"#!"), None);
        assert_eq!(line(&[b"#!".as_slice(), &[b'a'; 300]].concat()), None);
    }
}
