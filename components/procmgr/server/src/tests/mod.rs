//! The process manager over a fake kernel and fake components, driven by fake programs.

mod check;
mod components;
mod driver;
mod exec;
mod files;
mod handlers;
mod jobs;
mod life;
pub mod nr;
mod random;
mod signals;
mod tables;
mod threads;
mod timers;
mod world;
