//! Builds the seL4 kernel with our overlay and patches.
