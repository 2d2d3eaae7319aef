//! The system-call fuzzer: a program generated from the table of system calls, see `tests/fuzz`.

use crate::programs::Programs;
use crate::report::{Report, Verdict};
use crate::runner::{RunSpec, Runner};
use anyhow::Result;
use lsyscall_table as table;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Where the program lies in the guest.
const GUEST_PATH: &str = "/tests/fuzz";
/// The longest time between two lines: a round has its own limit, far below.
const SILENCE: Duration = Duration::from_secs(120);
/// What `cargo xtask test` runs: seeds, and seconds for each.
const SEEDS: [u64; 2] = [1, 2];
const SECONDS: u64 = 15;

/// What a fuzzing run is to do.
#[derive(Clone, Debug)]
pub struct FuzzOptions {
    /// The rounds follow from it.
    pub seed: u64,
    /// How long, in seconds of the guest.
    pub seconds: u64,
    /// The first round.
    pub from: u64,
    /// At most so many rounds.
    pub rounds: Option<u64>,
    /// Only these calls, separated by commas.
    pub calls: Option<String>,
    /// Tell every call before it is made.
    pub verbose: bool,
    /// Size of the system's memory.
    pub mem: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct FuzzResult {
    /// Rounds that were run.
    pub rounds: u64,
    /// Calls that were made, as far as they were told.
    pub calls: u64,
    /// How often the system was booted.
    pub boots: u32,
    /// Free memory in KiB: of the first and the last measurement.
    pub memory: Option<(u64, u64)>,
    /// What was found: the round, and what.
    pub found: Vec<(u64, String)>,
}

/// Runs the fuzzer on a system, from round to round; boots again behind a round that ended the system.
///
/// # Errors
/// When the system cannot be started.
pub fn fuzz(runner: &dyn Runner, programs: &Programs, options: &FuzzOptions) -> Result<FuzzResult> {
    let mut result = FuzzResult::default();
    let started = Instant::now();
    let mut from = options.from;
    let mut left = options.seconds;
    while left > 0 {
        let mut argv = vec![
            GUEST_PATH.to_owned(),
            "--seed".to_owned(),
            options.seed.to_string(),
            "--time".to_owned(),
            left.to_string(),
            "--from".to_owned(),
            from.to_string(),
        ];
        if let Some(rounds) = options.rounds {
            let more = rounds.saturating_sub(from - options.from);
            argv.extend(["--rounds".to_owned(), more.to_string()]);
        }
        if let Some(calls) = &options.calls {
            argv.extend(["--calls".to_owned(), calls.clone()]);
        }
        if options.verbose {
            argv.push("--verbose".to_owned());
        }
        let mut spec = RunSpec::new(argv)
            .add(&programs.fuzz, GUEST_PATH)
            .seconds(options.seconds * 3 + 120);
        spec.silence = SILENCE;
        spec.mem = Some(options.mem.clone().unwrap_or_else(|| "256M".to_owned()));
        let mut log = Log::default();
        let outcome = runner.run_with(&spec, &mut |bytes| {
            log.feed(bytes, options.verbose, &mut result);
        })?;
        result.boots += 1;
        if log.done {
            break;
        }
        let Some(round) = log.round else {
            let why = format!("no round was run: {}; {}", outcome.end, outcome.complaint());
            result.found.push((from, why));
            break;
        };
        let why = format!("the system ended: {}; {}", outcome.end, outcome.complaint());
        result.found.push((round, why));
        from = round + 1;
        left = options.seconds.saturating_sub(started.elapsed().as_secs());
        if options
            .rounds
            .is_some_and(|rounds| from - options.from >= rounds)
        {
            break;
        }
    }
    Ok(result)
}

/// The bounded part of `cargo xtask test`.
pub fn run(runner: &dyn Runner, programs: &Programs, report: &mut Report) -> Result<()> {
    for seed in SEEDS {
        let case = format!("fuzz/seed-{seed}");
        if !report.wants(&case) {
            continue;
        }
        let options = FuzzOptions {
            seed,
            seconds: SECONDS,
            from: 0,
            rounds: None,
            calls: None,
            verbose: false,
            mem: None,
        };
        let result = fuzz(runner, programs, &options)?;
        println!("     {}", result.summary());
        report.result(&case, verdict(runner.name(), &options, &result));
    }
    Ok(())
}

fn verdict(system: &str, options: &FuzzOptions, result: &FuzzResult) -> Verdict {
    if result.found.is_empty() {
        return Verdict::Pass;
    }
    let mut text = String::new();
    for (round, what) in &result.found {
        let _ = write!(
            text,
            "[{what}; `{}`] ",
            reproduce(system, options.seed, *round)
        );
    }
    Verdict::Fail(text)
}

/// The command that runs a round again.
pub fn reproduce(system: &str, seed: u64, round: u64) -> String {
    format!("cargo xtask fuzz --system {system} --seed {seed} --from {round} --rounds 1 --verbose")
}

impl FuzzResult {
    /// One line of figures.
    pub fn summary(&self) -> String {
        let memory = self.memory.map_or(String::new(), |(before, after)| {
            format!(", free memory {before} KiB, then {after} KiB")
        });
        format!(
            "{} rounds, {} calls, {} boots{memory}",
            self.rounds, self.calls, self.boots
        )
    }
}

/// What the program prints.
#[derive(Debug, Default)]
struct Log {
    line: Vec<u8>,
    round: Option<u64>,
    done: bool,
}

impl Log {
    fn feed(&mut self, bytes: &[u8], verbose: bool, result: &mut FuzzResult) {
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = String::from_utf8_lossy(&self.line).into_owned();
            self.line.clear();
            if verbose {
                println!("{line}");
            }
            self.take(&line, result);
        }
    }

    fn take(&mut self, line: &str, result: &mut FuzzResult) {
        let mut words = line.splitn(3, ' ');
        let (word, first, rest) = (words.next(), words.next(), words.next());
        let number = first.and_then(|word| word.parse::<u64>().ok());
        match (word, number, rest) {
            (Some("R"), Some(round), None) => {
                self.round = Some(round);
                result.rounds += 1;
            }
            (Some("HIT"), Some(round), Some(what)) => result.found.push((round, what.to_owned())),
            (Some("MEM"), Some(_), Some(free)) => {
                if let Ok(free) = free.parse() {
                    let first = result.memory.map_or(free, |(first, _)| first);
                    result.memory = Some((first, free));
                }
            }
            (Some("END"), Some(_), Some(rest)) => {
                let calls = rest.split(' ').next().and_then(|word| word.parse().ok());
                result.calls += calls.unwrap_or(0);
                self.done = true;
            }
            _ => (),
        }
    }
}

/// The table of system calls as the C header the fuzzer includes.
pub fn header() -> String {
    let mut text = String::from("/* Generated from the table of system calls. */\n\nenum {\n");
    for (index, scalar) in table::Scalar::ALL.iter().enumerate() {
        let _ = writeln!(text, "    T_{} = {index},", scalar.name());
    }
    text.push_str("};\n\nenum {\n");
    for (index, name) in table::POINTEES.iter().enumerate() {
        let _ = writeln!(text, "    P_{name} = {index},");
    }
    let _ = writeln!(
        text,
        "}};\n\n#define SHIM_BASE {:#x}UL\n#define ROW_COUNT {}UL\n",
        memmgr_api::SHIM_BASE,
        table::rows().count()
    );
    text.push_str("static const struct row rows[ROW_COUNT] __attribute__((unused)) = {\n");
    for row in table::rows() {
        let level = match row.level {
            table::Level::No => 0,
            table::Level::Partial => 1,
            table::Level::Full => 2,
        };
        let args: Vec<String> = row.args.iter().map(|arg| argument(arg.ty)).collect();
        let _ = writeln!(
            text,
            "    {{\"{}\", {}, {level}, {}, {{{}}}}},",
            row.name,
            row.nr,
            args.len(),
            args.join(", ")
        );
    }
    text.push_str("};\n");
    text
}

fn argument(ty: table::ArgType) -> String {
    let pointee = |name: &str| {
        let at = table::POINTEES.iter().position(|known| *known == name);
        at.unwrap_or_default()
    };
    match ty {
        table::ArgType::Scalar(scalar) => format!("{{T_{}, 0, 9}}", scalar.name()),
        table::ArgType::Path => "{T_PATH, 0, 9}".to_owned(),
        table::ArgType::Str => "{T_STR, 0, 9}".to_owned(),
        table::ArgType::StrVec => "{T_STRVEC, 0, 9}".to_owned(),
        table::ArgType::BufIn(length) => format!("{{T_BUF_IN, 0, {length}}}"),
        table::ArgType::BufOut(length) => format!("{{T_BUF_OUT, 0, {length}}}"),
        table::ArgType::InArr(name, length) | table::ArgType::OutArr(name, length) => {
            format!("{{T_ARRAY, {}, {length}}}", pointee(name))
        }
        table::ArgType::In(name) | table::ArgType::Out(name) | table::ArgType::InOut(name) => {
            format!("{{T_PTR, {}, 9}}", pointee(name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_every_call() {
        let text = header();
        for row in table::rows() {
            assert!(text.contains(&format!("{{\"{}\", {},", row.name, row.nr)));
        }
        assert!(text
            .contains("{\"read\", 63, 2, 3, {{T_Fd, 0, 9}, {T_BUF_OUT, 0, 2}, {T_Size, 0, 9}}},"));
    }

    #[test]
    fn reads_what_the_program_says() {
        let mut result = FuzzResult::default();
        let mut log = Log::default();
        log.feed(
            b"R 3\nMEM 3 100\nnoise\nR 4\nHIT 4 the guard is dead\nMEM 4 90\nEND 2 300 1000\n",
            false,
            &mut result,
        );
        assert!(log.done);
        assert_eq!(log.round, Some(4));
        assert_eq!((result.rounds, result.calls), (2, 300));
        assert_eq!(result.memory, Some((100, 90)));
        assert_eq!(result.found, [(4, "the guard is dead".to_owned())]);
    }
}
