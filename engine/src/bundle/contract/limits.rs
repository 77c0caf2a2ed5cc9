//! The numbers of the contract's format: what bounds a bundle before a byte of it is read, and what is the same in every
//! network. Apart from the contract because its parts need them too.

/// The contract format this engine reads.
pub const CONTRACT_FORMAT: u32 = 1;
/// Largest contract in bytes.
pub const CONTRACT_LIMIT_BYTES: u64 = 64 * 1024;
/// Largest targets file in bytes.
pub const TARGETS_LIMIT_BYTES: u64 = 1024 * 1024;
/// Largest ONNX graph in bytes.
pub const GRAPH_LIMIT_BYTES: u64 = 64 * 1024 * 1024;
/// Every window length is a multiple of this: the network's latent frame.
pub const FRAME_RATIO: usize = 64;
/// Longest window in frames: 60 s at 48 kHz. Bounds the memory a contract can ask for.
pub const WINDOW_LIMIT_FRAMES: usize = 2_880_000;
/// Frames by which a split front end runs behind the newest sample.
pub const SPLIT_MARGIN_FRAMES: usize = 128;
/// Lowest and highest ceiling of a limiter that makes sense, in dBTP.
pub(super) const CEILING_RANGE_DBTP: std::ops::RangeInclusive<f64> = -24.0..=0.0;
