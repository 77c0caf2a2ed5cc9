//! A small CLAP host for tests and for the demo.
//!
//! It loads a built `.clap` the way a workstation does – by path, through the C interface, with five stereo inputs – and
//! lets a caller play audio into the buses block by block and read the latency, the parameters and the saved state.
//! It stands apart from the plug-in on purpose: nothing here shares a line with the code it judges.

pub mod bundled;
mod callbacks;
pub mod contribution;
pub mod display;
pub mod instance;
pub mod library;
pub mod loudness;
pub mod parameters;
pub mod partition;
pub mod play;
pub mod ports;
pub mod processor;
pub mod signals;
pub mod state;

pub use instance::{AudioSetup, Instance};
pub use library::Library;
pub use partition::Partition;
pub use play::{BusAudio, Stereo};
pub use ports::Bus;
pub use processor::{ParameterChange, Processor};
