//! One module per subcommand; each has its arguments and one `run`.

pub mod analyze;
pub mod evaluate;
pub mod explain;
pub mod listen;
pub mod mix;
pub mod normalize;
pub mod profile;
pub mod shell;
pub mod stems;
pub mod targets;
