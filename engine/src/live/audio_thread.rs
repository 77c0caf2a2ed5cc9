//! Everything that the audio thread calls, and all it may call: arithmetic, copies, the `rtrb` rings and atomics of the three
//! files beside this folder that it shares with others, `protocol.rs`, `control_ring.rs` and `telemetry.rs`, and `glide.rs`. It allocates nothing, takes no
//! lock, makes no system call that waits. The one exception is a host that renders a file, where it waits for the worker.
//! What must not be called is listed in `clippy.toml`, and this attribute has it checked in every file of the folder.
#![warn(clippy::disallowed_methods)]

pub(crate) mod audio_side;
mod blend;
pub(crate) mod delay_line;
pub(crate) mod engine_player;
mod faded_stream;
mod loudness_match;
mod output_copy;
pub(crate) mod parts;
pub(crate) mod render_mode;
pub(crate) mod render_record;
pub(crate) mod settings;
pub(crate) mod time;
