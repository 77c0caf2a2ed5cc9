//! `tributary`: the program is the library's [`run`](tributary_cli::run), so that its parts can be tested and measured.

use std::process::ExitCode;

fn main() -> ExitCode {
    tributary_cli::run()
}
