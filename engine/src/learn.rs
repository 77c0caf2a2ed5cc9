//! Learning a song: it is captured while it plays, measured as a whole file, and what was found is put in force. Nothing here
//! is known to the audio thread.

pub(crate) mod analysis;
pub(crate) mod capture;
pub(crate) mod chunk_channel;
pub(crate) mod learned;
pub(crate) mod learning;
mod learning_thread;
pub(crate) mod song_averages;
pub(crate) mod song_file;
pub(crate) mod state;
pub(crate) mod stem_export;
pub(crate) mod stem_file;
