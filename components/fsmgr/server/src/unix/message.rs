//! Addresses and control messages (unix(7), cmsg(3)).

use alloc::vec::Vec;

use lsyscall_abi::consts::socket_domain::AF_UNIX;
use lsyscall_abi::Errno;

/// Bytes of a struct sockaddr_un's path.
const PATH: usize = 108;
/// SOL_SOCKET.
pub const SOL_SOCKET: i32 = 1;
/// Control message: descriptors.
pub const SCM_RIGHTS: i32 = 1;
/// Control message: credentials.
pub const SCM_CREDENTIALS: i32 = 2;
/// Bytes of a struct cmsghdr.
const HEADER: usize = 16;
/// Descriptors one message may carry.
pub const MAX_RIGHTS: usize = 253;

/// The name in a struct sockaddr_un: a path, or NUL and any bytes (abstract); empty: choose one. `EINVAL`.
pub fn parse_address(raw: &[u8]) -> Result<Vec<u8>, Errno> {
    let (family, path) = raw.split_at_checked(2).ok_or(Errno::EINVAL)?;
    if family != (AF_UNIX as u16).to_le_bytes() || path.len() > PATH {
        return Err(Errno::EINVAL);
    }
    if path.first() == Some(&0) {
        return Ok(path.to_vec());
    }
    let end = path.iter().position(|b| *b == 0).unwrap_or(path.len());
    Ok(path.get(..end).unwrap_or_default().to_vec())
}

/// A struct sockaddr_un of a name. A path ends with a NUL.
pub fn address(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::from((AF_UNIX as u16).to_le_bytes());
    out.extend_from_slice(name);
    if name.first().is_some_and(|b| *b != 0) {
        out.push(0);
    }
    out
}

/// What control messages say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Descriptors to send.
    pub fds: Vec<i32>,
    /// Whom the sender says it is: process, user, group.
    pub creds: Option<[u32; 3]>,
}

/// The descriptors and credentials named in control messages. `EINVAL` for what makes no sense.
pub fn parse_control(raw: &[u8]) -> Result<Said, Errno> {
    let mut rest = raw;
    let mut said = Said::default();
    while rest.len() >= HEADER {
        let word = |at: usize| -> i32 {
            let bytes = rest.get(at..at + 4).and_then(|b| b.try_into().ok());
            bytes.map_or(0, i32::from_le_bytes)
        };
        let len = rest.get(..8).and_then(|b| b.try_into().ok());
        let len = usize::try_from(len.map_or(0, u64::from_le_bytes)).unwrap_or(usize::MAX);
        if len < HEADER || len > rest.len() {
            return Err(Errno::EINVAL);
        }
        let body = rest.get(HEADER..len).unwrap_or_default();
        match (word(8), word(12)) {
            (SOL_SOCKET, SCM_RIGHTS) => {
                for fd in body.chunks_exact(4) {
                    said.fds
                        .push(fd.try_into().map(i32::from_le_bytes).unwrap_or(-1));
                }
            }
            (SOL_SOCKET, SCM_CREDENTIALS) => {
                if body.len() != 12 {
                    return Err(Errno::EINVAL);
                }
                said.creds = Some([word(16) as u32, word(20) as u32, word(24) as u32]);
            }
            (SOL_SOCKET, _) => return Err(Errno::EINVAL),
            _ => {}
        }
        let next = len.next_multiple_of(8).min(rest.len());
        rest = rest.get(next..).unwrap_or_default();
    }
    if said.fds.len() > MAX_RIGHTS {
        return Err(Errno::EINVAL);
    }
    Ok(said)
}

/// Writer of control messages into the room a program offers.
#[derive(Default)]
pub struct Control {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Something did not fit.
    pub truncated: bool,
}

impl Control {
    /// How many descriptors would fit into what is left of `room` bytes.
    pub fn rights_room(&self, room: usize) -> usize {
        room.saturating_sub(self.bytes.len() + HEADER) / 4
    }

    /// Appends a message, cut to `room` bytes in all.
    pub fn push(&mut self, room: usize, kind: i32, body: &[u8]) {
        let left = room.saturating_sub(self.bytes.len());
        if left < HEADER {
            self.truncated = true;
            return;
        }
        let fits = body.len().min(left - HEADER);
        self.truncated |= fits < body.len();
        self.bytes
            .extend_from_slice(&((HEADER + fits) as u64).to_le_bytes());
        self.bytes.extend_from_slice(&SOL_SOCKET.to_le_bytes());
        self.bytes.extend_from_slice(&kind.to_le_bytes());
        self.bytes
            .extend_from_slice(body.get(..fits).unwrap_or_default());
        let padded = self.bytes.len().next_multiple_of(8).min(room);
        self.bytes.resize(padded.max(self.bytes.len()), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_there_and_back() {
        assert_eq!(parse_address(&address(b"/tmp/s")), Ok(b"/tmp/s".to_vec()));
        assert_eq!(parse_address(&address(b"\0ab\0")), Ok(b"\0ab\0".to_vec()));
        assert_eq!(parse_address(&address(b"")), Ok(Vec::new()));
        assert_eq!(parse_address(&[1]), Err(Errno::EINVAL));
        assert_eq!(parse_address(&[2, 0, 1]), Err(Errno::EINVAL));
    }

    #[test]
    fn control_messages_there_and_back() {
        let mut control = Control::default();
        let body: Vec<u8> = [3i32, 4, 5].iter().flat_map(|f| f.to_le_bytes()).collect();
        control.push(64, SCM_RIGHTS, &body);
        assert_eq!(control.bytes.len(), 32);
        assert_eq!(
            parse_control(&control.bytes),
            Ok(Said {
                fds: alloc::vec![3, 4, 5],
                creds: None
            })
        );
        let mut short = Control::default();
        short.push(20, SCM_RIGHTS, &body);
        assert!(short.truncated);
        assert_eq!(
            parse_control(&short.bytes),
            Ok(Said {
                fds: alloc::vec![3],
                creds: None
            })
        );
        assert_eq!(parse_control(&[255; 16]), Err(Errno::EINVAL));
    }
}
