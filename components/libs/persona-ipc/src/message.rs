//! Messages and cursors over them.

/// Words of one message: seL4 carries 120; two are kept free for the transport.
pub const MAX_WORDS: usize = 118;

/// A message under construction or just received: words and at most one capability.
#[derive(Clone)]
pub struct Message {
    /// Method number in a request, [`crate::SERVED`] or [`crate::BAD_MESSAGE`] in a reply.
    pub label: u32,
    /// Words in use.
    pub len: usize,
    /// The words.
    pub words: [u64; MAX_WORDS],
    /// A capability (as a capability pointer of this CSpace) that travels with the message.
    pub cap: Option<u64>,
}

impl Message {
    /// An empty message.
    pub const fn new() -> Self {
        Message {
            label: 0,
            len: 0,
            words: [0; MAX_WORDS],
            cap: None,
        }
    }

    /// Starts writing at the first word; forgets what was there.
    pub fn writer(&mut self) -> Writer<'_> {
        self.len = 0;
        self.cap = None;
        Writer {
            message: self,
            overflow: false,
        }
    }

    /// Starts reading at the first word.
    pub fn reader(&self) -> Reader<'_> {
        Reader {
            message: self,
            at: 0,
        }
    }
}

impl Default for Message {
    fn default() -> Self {
        Self::new()
    }
}

/// Appends values to a message.
pub struct Writer<'a> {
    message: &'a mut Message,
    overflow: bool,
}

impl Writer<'_> {
    /// Appends a word. A word too many is dropped and remembered by [`Writer::overflowed`].
    #[inline]
    pub fn word(&mut self, word: u64) {
        let at = self.message.len;
        if let Some(slot) = self.message.words.get_mut(at) {
            *slot = word;
            self.message.len = at + 1;
        } else {
            self.overflow = true;
        }
    }

    /// Attaches the capability of the message. A second one counts as overflow.
    pub fn cap(&mut self, cptr: u64) {
        if self.message.cap.replace(cptr).is_some() {
            self.overflow = true;
        }
    }

    /// Whether something did not fit.
    pub fn overflowed(&self) -> bool {
        self.overflow
    }
}

/// Takes values from a message.
pub struct Reader<'a> {
    message: &'a Message,
    at: usize,
}

impl Reader<'_> {
    /// The next word; `None` at the end.
    #[inline]
    pub fn word(&mut self) -> Option<u64> {
        if self.at >= self.message.len {
            return None;
        }
        let word = *self.message.words.get(self.at)?;
        self.at += 1;
        Some(word)
    }

    /// The capability that came with the message.
    pub fn cap(&mut self) -> Option<u64> {
        self.message.cap
    }
}
