//! Checks manifests and compiles them to plans and glue.
