//! Descriptors in flight that only descriptors in flight refer to: sockets sent over each other and closed. Nobody can receive
//! them any more, so they are taken apart.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::file::{File, Object};
use crate::unix::Socket;

/// The sockets at which descriptors wait to be received.
#[derive(Default)]
pub struct InFlight(RefCell<Vec<Weak<Socket>>>);

/// A socket in flight.
struct Flying {
    file: Rc<File>,
    /// How many messages carry it.
    count: usize,
}

fn socket_of(file: &File) -> Option<&Rc<Socket>> {
    match &file.object {
        Object::Socket(socket) => Some(socket),
        _ => None,
    }
}

/// Calls `tell` with every socket's description that waits at a socket, or at a connection it has not accepted.
fn each_waiting(socket: &Socket, tell: &mut dyn FnMut(&Rc<File>)) {
    for record in socket.records.borrow().iter() {
        record
            .rights
            .iter()
            .filter(|f| socket_of(f).is_some())
            .for_each(&mut *tell);
    }
    for waiting in socket.backlog.borrow().iter() {
        each_waiting(waiting, tell);
    }
}

impl InFlight {
    /// Descriptors were sent to a socket.
    pub fn add(&self, socket: &Rc<Socket>) {
        let mut all = self.0.borrow_mut();
        all.retain(|s| s.upgrade().is_some_and(|s| s.holds_rights()));
        if !all.iter().any(|s| s.as_ptr() == Rc::as_ptr(socket)) {
            all.push(Rc::downgrade(socket));
        }
    }

    /// Whether there may be any.
    pub fn any(&self) -> bool {
        !self.0.borrow().is_empty()
    }

    /// What nobody can ever receive, taken out of where it waits.
    pub fn take_garbage(&self) -> Vec<Rc<File>> {
        let holders: Vec<Rc<Socket>> = {
            let mut all = self.0.borrow_mut();
            all.retain(|s| s.upgrade().is_some_and(|s| s.holds_rights()));
            all.iter().filter_map(Weak::upgrade).collect()
        };
        let mut flying: BTreeMap<usize, Flying> = BTreeMap::new();
        for holder in &holders {
            each_waiting_here(holder, &mut |file| {
                let key = Rc::as_ptr(file) as usize;
                flying
                    .entry(key)
                    .or_insert_with(|| Flying {
                        file: Rc::clone(file),
                        count: 0,
                    })
                    .count += 1;
            });
        }
        // Those that nothing but messages (and this list) refers to may be garbage.
        flying.retain(|_, f| Rc::strong_count(&f.file) == f.count + 1);
        if flying.is_empty() {
            return Vec::new();
        }
        // A socket is alive if somebody has it open, or what carries it is.
        let mut owners: BTreeMap<usize, usize> = BTreeMap::new();
        for (key, f) in &flying {
            if let Some(socket) = socket_of(&f.file) {
                owners.insert(Rc::as_ptr(socket) as usize, *key);
                for waiting in socket.backlog.borrow().iter() {
                    owners.insert(Rc::as_ptr(waiting) as usize, *key);
                }
            }
        }
        let mut alive: BTreeSet<usize> = BTreeSet::new();
        let mut todo: Vec<usize> = Vec::new();
        for holder in &holders {
            if !owners.contains_key(&(Rc::as_ptr(holder) as usize)) {
                each_waiting_here(holder, &mut |file| todo.push(Rc::as_ptr(file) as usize));
            }
        }
        while let Some(key) = todo.pop() {
            let Some(f) = flying.get(&key) else { continue };
            if alive.insert(key) {
                if let Some(socket) = socket_of(&f.file) {
                    each_waiting(socket, &mut |file| todo.push(Rc::as_ptr(file) as usize));
                }
            }
        }
        let mut garbage = Vec::new();
        for (_, f) in flying.iter().filter(|(key, _)| !alive.contains(key)) {
            if let Some(socket) = socket_of(&f.file) {
                socket.take_rights(&mut garbage);
            }
        }
        garbage
    }
}

fn each_waiting_here(socket: &Socket, tell: &mut dyn FnMut(&Rc<File>)) {
    for record in socket.records.borrow().iter() {
        record
            .rights
            .iter()
            .filter(|f| socket_of(f).is_some())
            .for_each(&mut *tell);
    }
}

impl Socket {
    fn holds_rights(&self) -> bool {
        self.records.borrow().iter().any(|r| !r.rights.is_empty())
    }

    fn take_rights(&self, out: &mut Vec<Rc<File>>) {
        for record in self.records.borrow_mut().iter_mut() {
            out.append(&mut record.rights);
        }
        for waiting in self.backlog.borrow().iter() {
            waiting.take_rights(out);
        }
    }
}
