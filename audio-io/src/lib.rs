//! Songs in, audio out: what every program of this workspace that touches files shares, so that there is one reader, one
//! writer, and one opinion about which file is which stem.
//!
//! | question | module |
//! |---|---|
//! | What does an audio file hold? | [`reader`] |
//! | Which files are the stems of this song, which songs are in this folder? | [`dataset`] |
//! | What do the stems of a song sound like, at one rate and one length? | [`song`] |
//! | Where are stems kept meanwhile? | [`stem_space`] |
//! | How is audio written? | [`writer`], [`file_output`] |
//! | May a result go there? | [`outputs`], [`place`] |
//! | What was wrong? | [`error`] |
//!
//! ```
//! use tributary_audio_io::dataset::song_in;
//! use tributary_audio_io::song::{Rate, Song};
//!
//! # fn main() -> anyhow::Result<()> {
//! let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/demo");
//! let song = Song::read(&song_in(demo.as_ref())?, Rate::HighestOfFiles)?;
//! assert_eq!(song.sample_rate_hz, 44_100);
//! assert!(song.stems.iter().all(Option::is_some));
//! # Ok(())
//! # }
//! ```

pub mod dataset;
pub mod error;
pub mod file_output;
mod identity;
pub mod outputs;
pub mod place;
pub mod reader;
pub mod resample;
pub mod song;
pub mod stem_space;
pub mod writer;
