//! Argument and environment strings on their way from the old image to the new one.

use alloc::vec::Vec;

use lsyscall_abi::Errno;
use memmgr_api::{Memory, Space};

use super::script::Line;

/// Most bytes of strings and their pointers together: a quarter of the stack limit, but not more than of the default one.
pub const MAX_BYTES: u64 = 2 << 20;
/// What is always allowed (ARG_MAX).
const MIN_BYTES: u64 = 128 << 10;
/// Longest single string (MAX_ARG_STRLEN).
pub const MAX_STRING: usize = 128 << 10;

/// The strings.
#[derive(Clone, Debug, Default)]
pub struct Strings {
    /// Arguments, without NULs.
    pub args: Vec<Vec<u8>>,
    /// Environment, without NULs.
    pub env: Vec<Vec<u8>>,
}

impl Strings {
    /// Reads both vectors from a program's memory; `stack_limit` in bytes. `EFAULT`, `E2BIG`, `ENOMEM`.
    pub fn read<M: Memory>(
        mem: &M,
        space: Space,
        argv: u64,
        envp: u64,
        stack_limit: u64,
    ) -> Result<Self, Errno> {
        let mut room = (stack_limit / 4).clamp(MIN_BYTES, MAX_BYTES) as usize;
        let mut args = read_vector(mem, space, argv, &mut room)?;
        if args.is_empty() {
            // As Linux since 5.18: a program always has a name.
            args.push(Vec::new());
        }
        let env = read_vector(mem, space, envp, &mut room)?;
        Ok(Strings { args, env })
    }

    /// A script is run by its interpreter: the arguments become interpreter, its argument, the script, the rest.
    pub fn interpreted_by(&mut self, line: &Line, script: &[u8]) {
        let mut args = Vec::with_capacity(self.args.len() + 2);
        args.push(line.interpreter.clone());
        args.extend(line.argument.clone());
        args.push(script.to_vec());
        args.extend(self.args.drain(..).skip(1));
        self.args = args;
    }

    /// Bytes of all strings with their NULs.
    pub fn bytes(&self) -> usize {
        self.args.iter().chain(&self.env).map(|s| s.len() + 1).sum()
    }
}

fn read_vector<M: Memory>(
    mem: &M,
    space: Space,
    addr: u64,
    room: &mut usize,
) -> Result<Vec<Vec<u8>>, Errno> {
    let mut out = Vec::new();
    if addr == 0 {
        return Ok(out);
    }
    let mut at = addr;
    loop {
        let pointer = mem.read_u64(space, at)?;
        if pointer == 0 {
            return Ok(out);
        }
        let limit = MAX_STRING.min(*room);
        let string = mem
            .read_cstr(space, pointer, limit)
            .map_err(|errno| match errno {
                Errno::ENAMETOOLONG => Errno::E2BIG,
                errno => errno,
            })?;
        *room = room.checked_sub(string.len() + 9).ok_or(Errno::E2BIG)?;
        out.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        out.push(string);
        at = at.checked_add(8).ok_or(Errno::EFAULT)?;
    }
}
