//! The process manager over a fake kernel and fake components, driven by fake programs.

mod driver;
mod exec;
mod handlers;
mod jobs;
mod life;
mod random;
mod signals;
mod tables;
mod threads;
mod world;
