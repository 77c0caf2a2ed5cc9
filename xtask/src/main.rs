//! Placeholder of a binary under construction.

fn main() {}
