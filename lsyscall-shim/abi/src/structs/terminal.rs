//! Terminals (termios(3), asm-generic/termbits.h).

/// Control characters of a kernel termios.
pub const NCCS: usize = 19;
/// In `cflag`: the speed stands in the speed fields.
pub const BOTHER: u32 = 0o010000;

layout! {
    /// struct termios as the kernel has it (TCGETS).
    Termios(36) {
        /// Input modes.
        iflag: u32,
        /// Output modes.
        oflag: u32,
        /// Line modes.
        cflag: u32,
        /// Local modes.
        lflag: u32,
        /// Line discipline.
        line: u8,
        /// Control characters.
        cc: [u8; NCCS],
    }
    /// struct termios2 (TCGETS2).
    Termios2(44) {
        /// Input modes.
        iflag: u32,
        /// Output modes.
        oflag: u32,
        /// Line modes.
        cflag: u32,
        /// Local modes.
        lflag: u32,
        /// Line discipline.
        line: u8,
        /// Control characters.
        cc: [u8; NCCS],
        /// Input speed, bits a second.
        ispeed: u32,
        /// Output speed, bits a second.
        ospeed: u32,
    }
    /// struct termio (TCGETA), of System V.
    Termio(18) {
        /// Input modes.
        iflag: u16,
        /// Output modes.
        oflag: u16,
        /// Line modes.
        cflag: u16,
        /// Local modes.
        lflag: u16,
        /// Line discipline.
        line: u8,
        /// Control characters.
        cc: [u8; 8],
        /// Padding.
        pad: u8,
    }
    /// struct winsize.
    Winsize(8) {
        /// Rows of characters.
        rows: u16,
        /// Columns of characters.
        cols: u16,
        /// Width in pixels.
        xpixel: u16,
        /// Height in pixels.
        ypixel: u16,
    }
}

macro_rules! bits {
    ($($(#[$m:meta])* $module:ident: $ty:ty { $($name:ident = $value:expr;)* })*) => { $(
        $(#[$m])*
        pub mod $module {
            #![allow(missing_docs)]
            $(pub const $name: $ty = $value;)*
        }
    )* };
}

bits! {
    /// Indices of control characters.
    cc: usize {
        VINTR = 0; VQUIT = 1; VERASE = 2; VKILL = 3; VEOF = 4; VTIME = 5; VMIN = 6; VSWTC = 7; VSTART = 8; VSTOP = 9;
        VSUSP = 10; VEOL = 11; VREPRINT = 12; VDISCARD = 13; VWERASE = 14; VLNEXT = 15; VEOL2 = 16;
    }
    /// Input modes.
    iflag: u32 {
        IGNBRK = 0o1; BRKINT = 0o2; IGNPAR = 0o4; PARMRK = 0o10; INPCK = 0o20; ISTRIP = 0o40; INLCR = 0o100; IGNCR = 0o200;
        ICRNL = 0o400; IUCLC = 0o1000; IXON = 0o2000; IXANY = 0o4000; IXOFF = 0o10000; IMAXBEL = 0o20000; IUTF8 = 0o40000;
    }
    /// Output modes.
    oflag: u32 {
        OPOST = 0o1; OLCUC = 0o2; ONLCR = 0o4; OCRNL = 0o10; ONOCR = 0o20; ONLRET = 0o40; OFILL = 0o100; OFDEL = 0o200;
        TABDLY = 0o14000; XTABS = 0o14000;
    }
    /// Line modes.
    cflag: u32 {
        CBAUD = 0o10017; B38400 = 0o17; B115200 = 0o10002; CSIZE = 0o60; CS5 = 0; CS6 = 0o20; CS7 = 0o40; CS8 = 0o60;
        CSTOPB = 0o100; CREAD = 0o200; PARENB = 0o400; PARODD = 0o1000; HUPCL = 0o2000; CLOCAL = 0o4000;
    }
    /// Local modes.
    lflag: u32 {
        ISIG = 0o1; ICANON = 0o2; XCASE = 0o4; ECHO = 0o10; ECHOE = 0o20; ECHOK = 0o40; ECHONL = 0o100; NOFLSH = 0o200;
        TOSTOP = 0o400; ECHOCTL = 0o1000; ECHOPRT = 0o2000; ECHOKE = 0o4000; FLUSHO = 0o10000; PENDIN = 0o40000;
        IEXTEN = 0o100000; EXTPROC = 0o200000;
    }
}

impl Termios2 {
    /// What TCGETS gives: without the speeds.
    pub const fn to_termios(&self) -> Termios {
        Termios {
            iflag: self.iflag,
            oflag: self.oflag,
            cflag: self.cflag,
            lflag: self.lflag,
            line: self.line,
            cc: self.cc,
        }
    }

    /// What TCSETS makes of it: the speeds stay.
    #[must_use]
    pub const fn with_termios(&self, t: &Termios) -> Termios2 {
        Termios2 {
            iflag: t.iflag,
            oflag: t.oflag,
            cflag: t.cflag,
            lflag: t.lflag,
            line: t.line,
            cc: t.cc,
            ..*self
        }
    }

    /// What TCGETA gives: the low halves of the modes, the first control characters.
    pub fn to_termio(&self) -> Termio {
        let mut cc = [0; 8];
        cc.copy_from_slice(self.cc.first_chunk::<8>().unwrap_or(&[0; 8]));
        Termio {
            iflag: self.iflag as u16,
            oflag: self.oflag as u16,
            cflag: self.cflag as u16,
            lflag: self.lflag as u16,
            line: self.line,
            cc,
            pad: 0,
        }
    }

    /// What TCSETA makes of it: high halves, further control characters and speeds stay.
    #[must_use]
    pub fn with_termio(&self, t: &Termio) -> Termios2 {
        let low = |whole: u32, low: u16| whole & 0xffff_0000 | u32::from(low);
        let mut cc = self.cc;
        for (to, from) in cc.iter_mut().zip(t.cc) {
            *to = from;
        }
        Termios2 {
            iflag: low(self.iflag, t.iflag),
            oflag: low(self.oflag, t.oflag),
            cflag: low(self.cflag, t.cflag),
            lflag: low(self.lflag, t.lflag),
            line: t.line,
            cc,
            ..*self
        }
    }
}
