//! What the line discipline does, by what a person would see and a program would read.

use lsyscall_abi::{cc, iflag, lflag, oflag, signal, Signal, Termios2, Winsize};
use persona_tty::{console_termios, ReadMode, ReadResult, Tty, INPUT_SIZE, OUTPUT_SIZE};
use proptest::prelude::*;

fn tty(change: impl FnOnce(&mut Termios2)) -> Tty {
    let mut termios = console_termios();
    change(&mut termios);
    Tty::new(termios)
}

fn raw(min: u8, time: u8) -> Tty {
    tty(|t| {
        t.lflag = 0;
        t.iflag = 0;
        t.oflag = 0;
        t.cc[cc::VMIN] = min;
        t.cc[cc::VTIME] = time;
    })
}

fn type_in(tty: &mut Tty, text: &str) {
    for byte in text.bytes() {
        tty.input(byte);
    }
}

fn screen(tty: &mut Tty) -> String {
    let mut buf = [0; 8192];
    let n = tty.take_output(&mut buf);
    String::from_utf8_lossy(&buf[..n]).into_owned()
}

fn read_up_to(tty: &mut Tty, len: usize, mode: ReadMode) -> Result<String, ReadResult> {
    let mut buf = vec![0; len];
    match tty.read(&mut buf, mode) {
        ReadResult::Data(n) => Ok(String::from_utf8_lossy(&buf[..n]).into_owned()),
        other => Err(other),
    }
}

fn read(tty: &mut Tty) -> Result<String, ReadResult> {
    read_up_to(tty, 8192, ReadMode::Waiting)
}

#[test]
fn a_line_is_read_when_it_is_complete() {
    let mut t = tty(|_| ());
    type_in(&mut t, "ls -l");
    assert_eq!(read(&mut t), Err(ReadResult::WouldBlock));
    assert!(!t.poll().readable);
    assert_eq!(t.input_len(), 0);
    t.input(b'\r');
    assert!(t.poll().readable);
    assert_eq!(t.input_len(), 6);
    assert_eq!(read(&mut t), Ok("ls -l\n".into()));
    assert_eq!(screen(&mut t), "ls -l\r\n");
    assert_eq!(read(&mut t), Err(ReadResult::WouldBlock));
}

#[test]
fn a_read_gets_one_line_and_a_small_one_a_part_of_it() {
    let mut t = tty(|_| ());
    type_in(&mut t, "one\ntwo\n");
    assert_eq!(read_up_to(&mut t, 2, ReadMode::Waiting), Ok("on".into()));
    assert_eq!(read(&mut t), Ok("e\n".into()));
    assert_eq!(read(&mut t), Ok("two\n".into()));
}

#[test]
fn end_of_file_ends_a_line_without_a_byte() {
    let mut t = tty(|_| ());
    type_in(&mut t, "abc\x04\x04x\n");
    assert_eq!(t.input_len(), 5);
    assert_eq!(read(&mut t), Ok("abc".into()));
    assert_eq!(read(&mut t), Err(ReadResult::Eof));
    assert_eq!(read(&mut t), Ok("x\n".into()));
    // A read that exactly takes the bytes takes the mark with them.
    type_in(&mut t, "abc\x04y\n");
    assert_eq!(read_up_to(&mut t, 3, ReadMode::Waiting), Ok("abc".into()));
    assert_eq!(read(&mut t), Ok("y\n".into()));
}

#[test]
fn erase_kill_and_word_erase_wipe_the_screen() {
    let mut t = tty(|_| ());
    type_in(&mut t, "ab\x7f");
    assert_eq!(screen(&mut t), "ab\x08 \x08");
    type_in(&mut t, "\x7f\x7f\x7f");
    assert_eq!(screen(&mut t), "\x08 \x08");
    type_in(&mut t, "foo bar_1 .\x17");
    screen(&mut t);
    type_in(&mut t, "\n");
    assert_eq!(read(&mut t), Ok("foo \n".into()));
    screen(&mut t);
    type_in(&mut t, "xyz\x15q\n");
    assert_eq!(screen(&mut t), "xyz\x08 \x08\x08 \x08\x08 \x08q\r\n");
    assert_eq!(read(&mut t), Ok("q\n".into()));
}

#[test]
fn erasing_a_tab_goes_back_to_where_it_started() {
    let mut t = tty(|_| ());
    t.write(b"$ ").unwrap();
    type_in(&mut t, "abc\t\x7f");
    assert_eq!(screen(&mut t), "$ abc\t\x08\x08\x08");
    type_in(&mut t, "\x01\x7f");
    assert_eq!(screen(&mut t), "^A\x08 \x08\x08 \x08");
}

#[test]
fn a_multi_byte_character_is_erased_as_a_whole() {
    let mut t = tty(|t| t.iflag |= iflag::IUTF8);
    type_in(&mut t, "aé\x7f\n");
    assert_eq!(screen(&mut t), "aé\x08 \x08\r\n");
    assert_eq!(read(&mut t), Ok("a\n".into()));
}

#[test]
fn printing_terminals_show_what_is_erased() {
    let mut t = tty(|t| t.lflag |= lflag::ECHOPRT);
    type_in(&mut t, "abc\x7f\x7fx");
    assert_eq!(screen(&mut t), "abc\\cb/x");
    let mut t = tty(|t| t.lflag &= !lflag::ECHOKE);
    type_in(&mut t, "abc\x15d\n");
    assert_eq!(screen(&mut t), "abc^U\r\nd\r\n");
    assert_eq!(read(&mut t), Ok("d\n".into()));
}

#[test]
fn the_next_character_can_be_taken_literally() {
    let mut t = tty(|_| ());
    type_in(&mut t, "a\x16\x03\x16\x7f\x16\nb\n");
    assert_eq!(t.take_signal(), None);
    assert_eq!(read(&mut t), Ok("a\x03\x7f\nb\n".into()));
    assert_eq!(screen(&mut t), "a^\x08^C^\x08^?^\x08^Jb\r\n");
}

#[test]
fn reprint_shows_the_line_again() {
    let mut t = tty(|_| ());
    type_in(&mut t, "abc\x12");
    assert_eq!(screen(&mut t), "abc^R\r\nabc");
}

#[test]
fn signal_characters_raise_signals_and_drop_what_was_typed() {
    let mut t = tty(|_| ());
    t.write(b"lost").unwrap();
    type_in(&mut t, "half\x03");
    assert_eq!(t.take_signal(), Some(Signal(signal::SIGINT)));
    assert_eq!(t.take_signal(), None);
    assert_eq!(screen(&mut t), "^C");
    type_in(&mut t, "\n");
    assert_eq!(read(&mut t), Ok("\n".into()));
    type_in(&mut t, "\x1a\x1c");
    assert_eq!(t.take_signal(), Some(Signal(signal::SIGQUIT)));
    assert_eq!(t.take_signal(), Some(Signal(signal::SIGTSTP)));

    let mut t = tty(|t| t.lflag |= lflag::NOFLSH);
    type_in(&mut t, "kept\x03\n");
    assert_eq!(read(&mut t), Ok("kept\n".into()));
    let mut t = tty(|t| t.lflag &= !lflag::ISIG);
    type_in(&mut t, "\x03\n");
    assert_eq!(t.take_signal(), None);
    assert_eq!(read(&mut t), Ok("\x03\n".into()));
}

#[test]
fn stop_and_start_hold_the_output() {
    let mut t = tty(|_| ());
    t.input(0x13);
    assert_eq!(t.write(b"later"), Ok(5));
    assert_eq!(screen(&mut t), "");
    t.input(0x11);
    assert_eq!(screen(&mut t), "later");
    t.stop_output();
    t.input(0x11);
    t.write(b"x").unwrap();
    assert_eq!(screen(&mut t), "");
    t.start_output();
    assert_eq!(screen(&mut t), "x");
    let mut t = tty(|t| t.iflag |= iflag::IXANY);
    t.input(0x13);
    t.write(b"x").unwrap();
    t.input(b'a');
    assert_eq!(screen(&mut t), "xa");
}

#[test]
fn the_sender_is_paused_before_input_is_lost() {
    let mut t = raw(1, 0);
    let mut termios = *t.termios();
    termios.iflag |= iflag::IXOFF;
    t.set_termios(termios);
    for _ in 0..INPUT_SIZE - 128 {
        t.input(b'x');
    }
    assert_eq!(screen(&mut t), "\x13");
    assert_eq!(read(&mut t).map(|s| s.len()), Ok(INPUT_SIZE - 128));
    assert_eq!(screen(&mut t), "\x11");
}

#[test]
fn carriage_returns_and_newlines_are_mapped() {
    let mut t = tty(|t| t.iflag = iflag::IGNCR);
    type_in(&mut t, "a\r\n");
    assert_eq!(read(&mut t), Ok("a\n".into()));
    let mut t = tty(|t| {
        t.iflag = iflag::INLCR;
        t.cc[cc::VEOL] = b'\r';
    });
    type_in(&mut t, "a\n");
    assert_eq!(read(&mut t), Ok("a\r".into()));
    let mut t = tty(|t| t.iflag = iflag::ISTRIP | iflag::IUCLC);
    t.input(0x80 | b'A');
    t.input(b'\n');
    assert_eq!(read(&mut t), Ok("a\n".into()));

    let mut t = tty(|t| t.oflag = oflag::OPOST | oflag::OCRNL);
    t.write(b"a\r").unwrap();
    assert_eq!(screen(&mut t), "a\n");
    let mut t = tty(|t| t.oflag = oflag::OPOST | oflag::ONOCR | oflag::OLCUC | oflag::XTABS);
    t.write(b"\rab\tc\r").unwrap();
    assert_eq!(screen(&mut t), "AB      C\r");
    let mut t = tty(|t| t.oflag = oflag::ONLCR);
    t.write(b"\n").unwrap();
    assert_eq!(screen(&mut t), "\n");
}

#[test]
fn raw_reads_follow_min_and_time() {
    let mut t = raw(3, 0);
    type_in(&mut t, "ab");
    assert_eq!(read(&mut t), Err(ReadResult::WouldBlock));
    assert_eq!(t.read_timeout(), None);
    assert_eq!(read_up_to(&mut t, 2, ReadMode::Waiting), Ok("ab".into()));
    type_in(&mut t, "abcd");
    assert_eq!(read(&mut t), Ok("abcd".into()));
    assert_eq!(
        read_up_to(&mut t, 9, ReadMode::NonBlocking),
        Err(ReadResult::WouldBlock)
    );
    type_in(&mut t, "a");
    assert_eq!(read_up_to(&mut t, 9, ReadMode::NonBlocking), Ok("a".into()));

    let mut t = raw(0, 0);
    assert_eq!(read(&mut t), Ok(String::new()));
    let mut t = raw(0, 5);
    assert_eq!(read(&mut t), Err(ReadResult::WouldBlock));
    assert_eq!(t.read_timeout(), Some(500_000_000));
    assert_eq!(read_up_to(&mut t, 9, ReadMode::TimedOut), Ok(String::new()));
    t.input(b'a');
    assert_eq!(read(&mut t), Ok("a".into()));
    let mut t = raw(2, 5);
    assert_eq!(t.read_timeout(), None);
    t.input(b'a');
    assert_eq!(t.read_timeout(), Some(500_000_000));
    assert_eq!(read_up_to(&mut t, 9, ReadMode::TimedOut), Ok("a".into()));
}

#[test]
fn raw_input_is_not_touched() {
    let mut t = raw(1, 0);
    let all: Vec<u8> = (0..=255).collect();
    for byte in &all {
        t.input(*byte);
    }
    let mut buf = [0; 300];
    assert_eq!(t.read(&mut buf, ReadMode::Waiting), ReadResult::Data(256));
    assert_eq!(&buf[..256], &all[..]);
    assert_eq!(t.take_signal(), None);
    assert_eq!(t.write(&all), Ok(256));
    assert_eq!(t.take_output(&mut buf), 256);
    assert_eq!(&buf[..256], &all[..]);
}

#[test]
fn changing_the_mode_keeps_what_was_typed() {
    let mut t = tty(|_| ());
    type_in(&mut t, "a\nb");
    let canonical = *t.termios();
    t.set_termios(Termios2 {
        lflag: 0,
        ..canonical
    });
    assert_eq!(read_up_to(&mut t, 3, ReadMode::Waiting), Ok("a\nb".into()));
    type_in(&mut t, "cd");
    t.set_termios(canonical);
    assert_eq!(read(&mut t), Ok("cd".into()));
}

#[test]
fn queues_are_bounded() {
    let mut t = tty(|_| ());
    let long = vec![b'x'; 3 * OUTPUT_SIZE];
    let taken = t.write(&long).unwrap();
    assert!(taken > 0 && taken <= OUTPUT_SIZE);
    assert!(!t.poll().writable);
    for _ in 0..3 * INPUT_SIZE {
        t.input(b'y');
    }
    assert!(t.input_room() > 0, "the end of the line can be typed");
    t.input(b'\n');
    assert_eq!(t.input_room(), 0);
    assert_eq!(read(&mut t).map(|s| s.len()), Ok(INPUT_SIZE));
    assert!(t.output_len() < 2 * OUTPUT_SIZE);
    screen(&mut t);
    assert!(t.poll().writable);
}

#[test]
fn window_changes_are_news_once() {
    let mut t = tty(|_| ());
    let size = Winsize {
        rows: 24,
        cols: 80,
        ..Winsize::default()
    };
    t.set_winsize(size);
    assert_eq!(t.take_signal(), Some(Signal(signal::SIGWINCH)));
    t.set_winsize(size);
    assert_eq!(t.take_signal(), None);
    assert_eq!(t.winsize(), size);
}

#[test]
fn the_end_of_the_line_is_end_of_file() {
    let mut t = tty(|_| ());
    type_in(&mut t, "last\nwords");
    t.end_input();
    assert!(t.poll().readable);
    assert_eq!(read(&mut t), Ok("last\n".into()));
    assert_eq!(read(&mut t), Ok("words".into()));
    assert_eq!(read(&mut t), Err(ReadResult::Eof));
    assert_eq!(read(&mut t), Err(ReadResult::Eof));
    t.hang_up();
    assert!(t.poll().hangup);
    assert!(t.write(b"x").is_err());
    assert_eq!(read(&mut t), Err(ReadResult::Eof));
}

#[test]
fn a_break_interrupts_or_is_a_nul() {
    let mut t = tty(|t| t.iflag |= iflag::BRKINT);
    t.input_break();
    assert_eq!(t.take_signal(), Some(Signal(signal::SIGINT)));
    let mut t = raw(1, 0);
    t.input_break();
    assert_eq!(read(&mut t), Ok("\0".into()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_typed_breaks_it(
        bytes in proptest::collection::vec(any::<u8>(), 0..6000),
        modes in any::<(u32, u32, u32)>(),
        chars in any::<[u8; 19]>(),
        flips in proptest::collection::vec((0usize..6000, any::<u32>()), 0..4),
    ) {
        let mut t = tty(|t| (t.iflag, t.oflag, t.lflag, t.cc) = (modes.0, modes.1, modes.2, chars));
        let mut buf = [0; 97];
        for (i, byte) in bytes.iter().enumerate() {
            t.input(*byte);
            for (at, lflag) in &flips {
                if *at == i {
                    let termios = Termios2 { lflag: *lflag, ..*t.termios() };
                    t.set_termios(termios);
                }
            }
            if i % 1000 == 999 {
                t.read(&mut buf, ReadMode::NonBlocking);
                t.write(&bytes[..100]).unwrap();
                t.take_output(&mut buf);
            }
            prop_assert!(t.input_len() <= INPUT_SIZE);
            prop_assert!(t.output_len() <= OUTPUT_SIZE + 1024);
        }
        // With a time between bytes a read goes on where poll already says readable, as on Linux.
        let timed = t.termios().cc[cc::VTIME] > 0;
        let readable = t.poll().readable;
        let result = t.read(&mut buf, ReadMode::Waiting);
        prop_assert!(!readable || timed || result != ReadResult::WouldBlock);
    }

    #[test]
    fn canonical_text_comes_through_line_by_line(lines in proptest::collection::vec("[ -~]{0,40}", 0..20)) {
        let mut t = tty(|_| ());
        for line in &lines {
            type_in(&mut t, line);
            t.input(b'\n');
        }
        for line in &lines {
            prop_assert_eq!(read(&mut t), Ok(format!("{line}\n")));
        }
        prop_assert_eq!(read(&mut t), Err(ReadResult::WouldBlock));
    }
}
