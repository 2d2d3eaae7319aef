//! The one door to building and running Persona.
fn main() {}
