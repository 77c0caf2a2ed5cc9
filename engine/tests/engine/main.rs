//! The engine's tests, in one binary: each further one would link everything again.

mod alloc;
mod bundle;
mod common;
mod networks;
mod pipeline;
mod realtime;
