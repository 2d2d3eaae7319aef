//! An interactive shell on a pseudo-terminal: what a person at the keyboard does and sees.

use crate::persona::Persona;
use crate::report::{Report, Verdict};
use crate::runner::Runner;
use anyhow::{anyhow, Result};
use portable_pty::{native_pty_system, Child, CommandBuilder, PtyPair, PtySize};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use vt100::Parser;

type Check = std::result::Result<(), String>;
type Step = fn(&mut Session) -> Check;

const ROWS: u16 = 24;
const COLS: u16 = 80;
/// How long one reaction may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long it may take until the prompt shows (building included).
const BOOT: Duration = Duration::from_secs(120);

/// The steps of the session; each builds on the prompt that the one before left.
const STEPS: &[(&str, Step)] = &[
    ("prompt", prompt),
    ("terminal_is_a_tty", is_a_tty),
    ("window_size", window_size),
    ("pipeline", pipeline),
    ("line_editing", line_editing),
    ("history", history),
    ("erase_and_kill_in_canonical_mode", canonical),
    ("end_of_file", end_of_file),
    ("ctrl_c", ctrl_c),
    ("ctrl_z_and_bg", ctrl_z),
    ("background_read_and_fg", background_read),
    ("ctrl_backslash", ctrl_backslash),
    ("vi", vi),
    ("exit", exit),
];

/// Runs the session once and reports its steps.
pub fn run(runner: &Persona, report: &mut Report) -> Result<()> {
    let case = |step: &str| format!("session/{step}");
    if !STEPS.iter().any(|(step, _)| report.wants(&case(step))) {
        return Ok(());
    }
    let mut session = Session::start(runner)?;
    let mut lost = false;
    for (step, body) in STEPS {
        if lost {
            report.result(
                &case(step),
                Verdict::Fail("the session was lost before it".to_owned()),
            );
            continue;
        }
        let found = body(&mut session);
        let failed = found.is_err();
        report.check(
            &case(step),
            found.map_err(|why| format!("{why}; the screen shows:\n{}", session.screen())),
        );
        if failed {
            lost = *step == "prompt" || !session.recover();
        }
    }
    Ok(())
}

struct Session {
    name: String,
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    terminal: Arc<Mutex<Parser>>,
    marks: u32,
    // Closing it hangs up: it must live as long as the session.
    _pty: PtyPair,
}

impl Session {
    fn start(runner: &Persona) -> Result<Self> {
        let pty = native_pty_system()
            .openpty(PtySize {
                rows: ROWS,
                cols: COLS,
                pixel_width: 0,
                pixel_height: 0,
            })
            .map_err(|error| anyhow!("opening a pseudo-terminal: {error}"))?;
        let words = runner.session();
        let mut command = CommandBuilder::new(words.first().map_or("", String::as_str));
        command.args(words.iter().skip(1));
        command.cwd(runner.root());
        command.env("TERM", "vt100");
        let child = pty
            .slave
            .spawn_command(command)
            .map_err(|error| anyhow!("starting the session: {error}"))?;
        let mut reader = pty
            .master
            .try_clone_reader()
            .map_err(|error| anyhow!("reading the pseudo-terminal: {error}"))?;
        let writer = pty
            .master
            .take_writer()
            .map_err(|error| anyhow!("writing the pseudo-terminal: {error}"))?;
        let terminal = Arc::new(Mutex::new(Parser::new(ROWS, COLS, 500)));
        let screen = Arc::clone(&terminal);
        thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(n) = reader.read(&mut block) {
                if n == 0 {
                    break;
                }
                let bytes = block.get(..n).unwrap_or_default();
                screen
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .process(bytes);
            }
        });
        Ok(Self {
            name: runner.name().to_owned(),
            child,
            writer,
            terminal,
            marks: 0,
            _pty: pty,
        })
    }

    fn screen(&self) -> String {
        let terminal = self.terminal.lock().unwrap_or_else(PoisonError::into_inner);
        terminal.screen().contents()
    }

    fn send(&mut self, keys: &str) -> Check {
        self.writer
            .write_all(keys.as_bytes())
            .and_then(|()| self.writer.flush())
            .map_err(|error| format!("typing {keys:?}: {error}"))
    }

    fn wait(&mut self, what: &str, limit: Duration, seen: impl Fn(&str) -> bool) -> Check {
        let end = Instant::now() + limit;
        loop {
            if seen(&self.screen()) {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("{} does not show {what} in {limit:?}", self.name));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for a line that is exactly this.
    fn line(&mut self, text: &str) -> Check {
        self.wait(&format!("the line {text:?}"), PATIENCE, |screen| {
            screen.lines().any(|line| line.trim_end() == text)
        })
    }

    /// Types a command line and waits until the shell has carried it out; gives what the screen shows of it.
    fn command(&mut self, line: &str) -> std::result::Result<String, String> {
        // A mark that the echo of the command line cannot be taken for.
        self.marks += 1;
        let n = self.marks;
        self.send(&format!("clear; {line}; echo end-$(({n}*1000+7))-end\r"))?;
        let mark = format!("end-{}-end", n * 1000 + 7);
        self.line(&mark)?;
        let screen = self.screen();
        let before = screen.split(&mark).next().unwrap_or_default();
        Ok(before.trim_start().to_owned())
    }

    /// Clears the screen and waits until nothing but a prompt is on it.
    fn clear(&mut self) -> Check {
        self.send("clear\r")?;
        self.wait("a prompt alone", PATIENCE, |screen| {
            screen.trim().lines().count() == 1 && at_prompt(screen)
        })
    }

    /// Starts a program that prints nothing and reads lines, and waits until it does so.
    fn reads(&mut self, line: &str) -> Check {
        self.clear()?;
        // The shell takes its hands off the terminal before it carries out the first command of the line.
        self.send(&format!("clear; {line}\r"))?;
        self.wait("an empty screen", PATIENCE, |screen| {
            screen.trim().is_empty()
        })
    }

    /// Gets back to a prompt after a failed step.
    fn recover(&mut self) -> bool {
        ["\x03", "\x1b", ":q!\r", "\x15\r"].iter().all(|keys| {
            thread::sleep(Duration::from_millis(500));
            self.send(keys).is_ok()
        }) && self.command("true").is_ok()
    }
}

/// Whether the last line is a prompt that waits.
fn at_prompt(screen: &str) -> bool {
    screen.trim_end().ends_with(['#', '$'])
}

fn same(got: &str, want: &str) -> Check {
    if got.trim_end() == want {
        Ok(())
    } else {
        Err(format!("it printed {got:?}, not {want:?}"))
    }
}

fn prompt(s: &mut Session) -> Check {
    s.wait("a prompt", BOOT, at_prompt)
}

fn is_a_tty(s: &mut Session) -> Check {
    let got = s.command("tty >/dev/null && test -t 0 && test -t 1 && test -t 2 && echo yes")?;
    same(&got, "yes")
}

fn window_size(s: &mut Session) -> Check {
    let got = s.command("stty size")?;
    same(&got, &format!("{ROWS} {COLS}"))
}

fn pipeline(s: &mut Session) -> Check {
    let got = s.command("seq 1 50 | grep 7 | sort -rn | head -2 | tr '\\n' ,; echo")?;
    same(&got, "47,37,")
}

/// Left, insert, home, end, delete to the left, kill to the end: the shell's own editor in raw mode.
fn line_editing(s: &mut Session) -> Check {
    s.clear()?;
    s.send("echo wrld\x1b[D\x1b[D\x1b[Do\x1b[F!x\x7f\x01\x1b[C\x05 && echo edited-$((40+2))zz\x1b[D\x1b[D\x0b\r")?;
    s.line("world!")?;
    s.line("edited-42")
}

fn history(s: &mut Session) -> Check {
    s.command("echo first-$((1+1))")?;
    s.command("echo second")?;
    s.clear()?;
    s.send("\x1b[A\x1b[A\x1b[A\r")?;
    s.line("first-2")
}

/// The line discipline of the terminal itself: erase, kill and literal-next before a program sees the line.
fn canonical(s: &mut Session) -> Check {
    s.reads("cat")?;
    s.send("nonsense\x15abX\x7fc\r")?;
    s.wait("the line twice", PATIENCE, |screen| {
        screen
            .lines()
            .filter(|line| line.trim_end() == "abc")
            .count()
            == 2
    })?;
    s.send("\x04")?;
    same(&s.command("echo back")?, "back")
}

fn end_of_file(s: &mut Session) -> Check {
    s.reads("cat >/tmp/eof; echo ended-$((2*3))")?;
    s.send("typed\rpart\x04\x04")?;
    s.wait("the end", PATIENCE, |screen| screen.contains("ended-6"))?;
    same(&s.command("wc -c </tmp/eof")?, "10")
}

fn ctrl_c(s: &mut Session) -> Check {
    s.reads("sleep 100")?;
    thread::sleep(Duration::from_millis(500));
    let before = Instant::now();
    s.send("\x03")?;
    same(&s.command("ps | grep -c '[s]leep 100'")?, "0")?;
    s.reads("sleep 100; echo not-reached-$((1+1))")?;
    thread::sleep(Duration::from_millis(500));
    s.send("\x03")?;
    s.command("true")?;
    if before.elapsed() > Duration::from_secs(20) {
        return Err("it took longer than it may".to_owned());
    }
    if s.screen().contains("not-reached-2") {
        return Err("the command line went on after Ctrl-C".to_owned());
    }
    s.reads("sh -c 'sleep 100'")?;
    thread::sleep(Duration::from_millis(500));
    s.send("\x03echo \"status=$?\"\r")?;
    s.line("status=130")
}

fn ctrl_z(s: &mut Session) -> Check {
    s.reads("sleep 3")?;
    thread::sleep(Duration::from_millis(500));
    s.send("\x1a")?;
    s.wait("that it stopped", PATIENCE, |screen| {
        screen.contains("Stopped")
    })?;
    let got = s.command("jobs")?;
    if !got.contains("Stopped") || !got.contains("sleep 3") {
        return Err(format!("jobs printed {got:?}"));
    }
    let got = s.command("ps -o stat,args 2>/dev/null | grep '[s]leep 3' | cut -c1")?;
    same(&got, "T")?;
    s.clear()?;
    s.send("clear; bg; wait; echo waited-$((3*3))\r")?;
    s.wait("the end of the job", PATIENCE, |screen| {
        screen.contains("waited-9")
    })
}

fn background_read(s: &mut Session) -> Check {
    s.command("cat >/tmp/from-fg & sleep 1")?;
    let got = s.command("jobs")?;
    if !got.contains("Stopped") {
        return Err(format!("a background read does not stop the job: {got:?}"));
    }
    s.clear()?;
    s.send("clear; fg\r")?;
    s.wait("the job's name", PATIENCE, |screen| screen.contains("cat"))?;
    thread::sleep(Duration::from_millis(300));
    s.send("to the job\r\x04")?;
    same(&s.command("cat /tmp/from-fg")?, "to the job")
}

fn ctrl_backslash(s: &mut Session) -> Check {
    s.reads("sleep 100")?;
    thread::sleep(Duration::from_millis(500));
    s.send("\x1cecho \"status=$?\"\r")?;
    s.line("status=131")
}

fn vi(s: &mut Session) -> Check {
    s.command("printf 'one\\ntwo\\n' >/tmp/vi.txt")?;
    s.send("vi /tmp/vi.txt\r")?;
    s.wait("vi's screen", PATIENCE, |screen| {
        let lines: Vec<&str> = screen.lines().map(str::trim_end).collect();
        lines.first() == Some(&"one")
            && lines.get(1) == Some(&"two")
            && lines.get(2) == Some(&"~")
            && lines.get(usize::from(ROWS) - 2) == Some(&"~")
            && lines
                .last()
                .is_some_and(|line| line.contains("/tmp/vi.txt"))
    })?;
    s.send("jA and more")?;
    s.line("two and more")?;
    // An escape key is one only when nothing follows it at once.
    s.send("\x1b")?;
    thread::sleep(Duration::from_millis(500));
    s.send(":wq\r")?;
    s.wait("the prompt again", PATIENCE, at_prompt)?;
    same(&s.command("cat /tmp/vi.txt")?, "one\ntwo and more")
}

fn exit(s: &mut Session) -> Check {
    s.send("exit 9\r")?;
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        match s.child.try_wait() {
            Ok(Some(status)) if status.exit_code() == 9 => return Ok(()),
            Ok(Some(status)) => {
                return Err(format!("the command ended with {}", status.exit_code()))
            }
            Ok(None) => thread::sleep(Duration::from_millis(10)),
            Err(error) => return Err(format!("waiting for the command: {error}")),
        }
    }
    let _ = s.child.kill();
    Err("the command does not end".to_owned())
}
