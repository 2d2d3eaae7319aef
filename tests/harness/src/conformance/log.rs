//! What a suite's runner prints, line by line.

use super::record::Record;
use super::suite::Suite;

/// The words a line of busybox's suite begins with.
const VERDICTS: [&str; 4] = ["PASS", "FAIL", "SKIPPED", "UNTESTED"];

/// The output of one run as it comes.
pub struct Log {
    suite: Suite,
    system: String,
    line: Vec<u8>,
    /// The applet or the shell's case that was begun last.
    part: Option<String>,
    /// How many of them were begun.
    begun: usize,
    /// What is counted for the line of progress: its name, and how many said what.
    group: String,
    counts: [usize; 4],
    done: bool,
}

impl Log {
    /// An empty one; `system` is for the lines of progress.
    pub fn new(suite: Suite, system: &str) -> Self {
        Self {
            suite,
            system: system.to_owned(),
            line: Vec::new(),
            part: None,
            begun: 0,
            group: String::new(),
            counts: [0; 4],
            done: false,
        }
    }

    /// Whether the runner came to its end.
    pub fn done(&self) -> bool {
        self.done
    }

    /// What was begun last.
    pub fn part(&self) -> Option<&str> {
        self.part.as_deref()
    }

    /// How many applets or cases were begun.
    pub fn begun(&self) -> usize {
        self.begun
    }

    /// Takes the next bytes of the output.
    pub fn feed(&mut self, bytes: &[u8], record: &mut Record) {
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                if byte == b':' && self.suite == Suite::Ash {
                    self.begin_case();
                }
                continue;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
            if line == "@@DONE" {
                self.done = true;
                self.part = None;
            } else if self.suite == Suite::Busybox {
                self.busybox(&line, record);
            } else {
                self.ash(&line, record);
            }
        }
    }

    /// Says the last line of progress.
    pub fn close(&mut self) {
        self.group(String::new());
    }

    fn busybox(&mut self, line: &str, record: &mut Record) {
        if let Some(applet) = line.strip_prefix("@@BEGIN ") {
            self.part = Some(applet.to_owned());
            self.begun += 1;
            self.group(applet.to_owned());
            return;
        }
        let Some((word, name)) = line.split_once(": ") else {
            return;
        };
        if let (Some(&verdict), Some(part)) = (
            VERDICTS.iter().find(|&&verdict| verdict == word),
            &self.part,
        ) {
            record.put(&format!("{part}/{name}"), verdict);
            self.count(verdict);
        }
    }

    /// The shell's runner prints `folder/case:` before a case and ` ok` or ` fail` behind it.
    fn begin_case(&mut self) {
        let Ok(text) = std::str::from_utf8(&self.line) else {
            return;
        };
        let Some(name) = text.strip_suffix(':') else {
            return;
        };
        if name.starts_with("ash-") && name.contains('/') && !name.contains([' ', ':']) {
            let group = name
                .split_once('/')
                .map_or(name, |(folder, _)| folder)
                .to_owned();
            self.part = Some(name.to_owned());
            self.begun += 1;
            if group != self.group {
                self.group(group);
            }
        }
    }

    fn ash(&mut self, line: &str, record: &mut Record) {
        let verdict = match line.rsplit_once(' ') {
            Some((_, "ok")) => "PASS",
            Some((_, "fail")) => "FAIL",
            _ => return,
        };
        if let Some(part) = self.part.take() {
            record.put(&part, verdict);
            self.count(verdict);
        }
    }

    fn count(&mut self, verdict: &str) {
        for (word, count) in VERDICTS.iter().zip(&mut self.counts) {
            *count += usize::from(*word == verdict);
        }
    }

    /// Says how the group before this one went.
    fn group(&mut self, next: String) {
        let old = std::mem::replace(&mut self.group, next);
        let counts = std::mem::take(&mut self.counts);
        if old.is_empty() {
            return;
        }
        let mut text = String::new();
        for (word, count) in VERDICTS.iter().zip(counts) {
            if count > 0 {
                text += &format!(" {count} {word}");
            }
        }
        println!("{} {old}:{text}", self.system);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_busyboxs_lines() {
        let mut record = Record::default();
        let mut log = Log::new(Suite::Busybox, "test");
        log.feed(
            b"noise\n@@BEGIN awk\nPASS: awk -F\nFAIL: x: y\nPASS: awk -F\nsomething: else\n@@BEGIN ls\n",
            &mut record,
        );
        assert_eq!((log.part(), log.begun()), (Some("ls"), 2));
        assert!(!log.done());
        log.feed(b"SKIPPED: u\nUNTESTED: v\n\n@@DONE\n", &mut record);
        assert!(log.done());
        let cases: Vec<_> = record.iter().collect();
        assert_eq!(
            cases,
            [
                ("awk/awk -F", "PASS"),
                ("awk/x: y", "FAIL"),
                ("awk/awk -F (2)", "PASS"),
                ("ls/u", "SKIPPED"),
                ("ls/v", "UNTESTED"),
            ]
        );
    }

    #[test]
    fn reads_the_shells_lines() {
        let mut record = Record::default();
        let mut log = Log::new(Suite::Ash, "test");
        log.feed(
            b"ash-a/one.tests: ok\nash-a/two.tests:Killed\n fail\nash-b/th",
            &mut record,
        );
        log.feed(b"ree.tests:", &mut record);
        assert_eq!(log.part(), Some("ash-b/three.tests"));
        let cases: Vec<_> = record.iter().collect();
        assert_eq!(
            cases,
            [("ash-a/one.tests", "PASS"), ("ash-a/two.tests", "FAIL")]
        );
    }
}
