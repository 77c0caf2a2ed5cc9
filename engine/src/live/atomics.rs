//! The atomics of the stream protocol. They have a name of their own because a test compiles `protocol.rs` with those of
//! loom in their place, which try every order that the memory model allows (`tests/protocol_memory.rs`).

pub(crate) use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
