//! The settings, as questions.

use lsyscall_abi::{cc, cflag, iflag, lflag, oflag, Termios2, NCCS};

/// The settings a serial console starts with: 115200 bits a second, 8 data bits, canonical, echoing.
pub fn console_termios() -> Termios2 {
    let mut chars = [0; NCCS];
    for (index, value) in [
        (cc::VINTR, 0x03),
        (cc::VQUIT, 0x1c),
        (cc::VERASE, 0x7f),
        (cc::VKILL, 0x15),
        (cc::VEOF, 0x04),
        (cc::VMIN, 1),
        (cc::VSTART, 0x11),
        (cc::VSTOP, 0x13),
        (cc::VSUSP, 0x1a),
        (cc::VREPRINT, 0x12),
        (cc::VDISCARD, 0x0f),
        (cc::VWERASE, 0x17),
        (cc::VLNEXT, 0x16),
    ] {
        chars[index] = value;
    }
    Termios2 {
        iflag: iflag::ICRNL | iflag::IXON,
        oflag: oflag::OPOST | oflag::ONLCR,
        cflag: cflag::B115200 | cflag::CS8 | cflag::CREAD | cflag::HUPCL | cflag::CLOCAL,
        lflag: lflag::ISIG
            | lflag::ICANON
            | lflag::ECHO
            | lflag::ECHOE
            | lflag::ECHOK
            | lflag::ECHOCTL
            | lflag::ECHOKE
            | lflag::IEXTEN,
        line: 0,
        cc: chars,
        ispeed: 115_200,
        ospeed: 115_200,
    }
}

/// The settings a pseudo-terminal starts with: those of the console, but no line that could hang up.
pub fn pty_termios() -> Termios2 {
    Termios2 {
        cflag: cflag::B38400 | cflag::CS8 | cflag::CREAD,
        ispeed: 38_400,
        ospeed: 38_400,
        ..console_termios()
    }
}

/// Flags and control characters in a form that is quick to ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Modes {
    iflag: u32,
    oflag: u32,
    lflag: u32,
    cc: [u8; NCCS],
}

macro_rules! questions {
    ($($word:ident: $($name:ident = $flag:expr),*;)*) => {
        impl Modes { $($(
            pub(crate) const fn $name(&self) -> bool {
                self.$word & $flag != 0
            }
        )*)* }
    };
}

questions! {
    iflag: istrip = iflag::ISTRIP, inlcr = iflag::INLCR, igncr = iflag::IGNCR, icrnl = iflag::ICRNL, iuclc = iflag::IUCLC,
        ixon = iflag::IXON, ixany = iflag::IXANY, ixoff = iflag::IXOFF, imaxbel = iflag::IMAXBEL, iutf8 = iflag::IUTF8,
        ignbrk = iflag::IGNBRK, brkint = iflag::BRKINT, parmrk = iflag::PARMRK;
    oflag: opost = oflag::OPOST, olcuc = oflag::OLCUC, onlcr = oflag::ONLCR, ocrnl = oflag::OCRNL, onocr = oflag::ONOCR,
        onlret = oflag::ONLRET;
    lflag: isig = lflag::ISIG, canonical = lflag::ICANON, echo = lflag::ECHO, echoe = lflag::ECHOE, echok = lflag::ECHOK,
        echonl = lflag::ECHONL, noflsh = lflag::NOFLSH, echoctl = lflag::ECHOCTL, echoprt = lflag::ECHOPRT,
        echoke = lflag::ECHOKE, iexten = lflag::IEXTEN;
}

impl Modes {
    pub(crate) const fn of(termios: &Termios2) -> Modes {
        Modes {
            iflag: termios.iflag,
            oflag: termios.oflag,
            lflag: termios.lflag,
            cc: termios.cc,
        }
    }

    pub(crate) const fn expand_tabs(&self) -> bool {
        self.oflag & oflag::TABDLY == oflag::XTABS
    }

    /// Whether `byte` is the control character of that index. NUL (_POSIX_VDISABLE) switches one off.
    pub(crate) const fn is(&self, index: usize, byte: u8) -> bool {
        byte != 0 && self.cc[index] == byte
    }

    /// As [`Modes::is`], for characters that only extended processing has.
    pub(crate) const fn is_extended(&self, index: usize, byte: u8) -> bool {
        self.iexten() && self.is(index, byte)
    }

    pub(crate) const fn kill(&self) -> u8 {
        self.cc[cc::VKILL]
    }

    pub(crate) const fn erase(&self) -> u8 {
        self.cc[cc::VERASE]
    }

    pub(crate) const fn start(&self) -> Option<u8> {
        match self.cc[cc::VSTART] {
            0 => None,
            byte => Some(byte),
        }
    }

    pub(crate) const fn stop(&self) -> Option<u8> {
        match self.cc[cc::VSTOP] {
            0 => None,
            byte => Some(byte),
        }
    }

    /// VMIN: bytes a raw read waits for.
    pub(crate) const fn min(&self) -> usize {
        self.cc[cc::VMIN] as usize
    }

    /// VTIME: tenths of a second.
    pub(crate) const fn time(&self) -> u8 {
        self.cc[cc::VTIME]
    }

    /// Whether the byte continues a UTF-8 character and takes no column of its own.
    pub(crate) const fn continues(&self, byte: u8) -> bool {
        self.iutf8() && byte & 0xc0 == 0x80
    }
}
