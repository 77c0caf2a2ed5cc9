//! Running other programs: one way to start them, one way to say plainly that they failed.
//!
//! Nothing here ever asks: standard input is closed for every program, so that a password prompt or a question becomes
//! an error instead of a hang.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// A command for the Cargo that runs us.
///
/// Variables that `cargo run` sets for this program are removed: build scripts that watch them would otherwise rebuild
/// their crates each time one changes between a plain `cargo build` and `cargo xtask`.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if is_set_by_cargo_run(&name) {
            command.env_remove(name);
        }
    }
    command
}

fn is_set_by_cargo_run(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "CARGO_PRIMARY_PACKAGE"
}

/// Runs `command` with its output on ours; anything but success is an error that names the program.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().map_err(|error| not_started(command, error))?;
    if !status.success() {
        bail!("`{}` failed ({status})", words(command));
    }
    Ok(())
}

/// Runs `command` and returns what it printed; on failure the error carries the end of its error output.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}):\n{}", words(command), output.status, last_lines(&said, 12));
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` did not print UTF-8", words(command)))
}

/// Whether `command` can be started and succeeds, without any output of its own.
pub fn succeeds(command: &mut Command) -> bool {
    output(command).is_ok_and(|output| output.status.success())
}

fn output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().map_err(|error| not_started(command, error))
}

fn not_started(command: &Command, error: std::io::Error) -> anyhow::Error {
    let program = command.get_program().to_string_lossy().into_owned();
    match error.kind() {
        ErrorKind::NotFound => anyhow::anyhow!("the program `{program}` is not installed or not on PATH"),
        _ => anyhow::anyhow!("cannot start `{program}`: {error}"),
    }
}

/// The command as one would type it: the program's name and its arguments, those with spaces in quotes.
pub fn words(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program).chain(command.get_args()).map(quoted).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    if word.is_empty() || word.contains([' ', '\n', '"', '\'', '$', '`']) {
        format!("'{}'", word.replace('\'', r"'\''"))
    } else {
        word.into_owned()
    }
}

/// The last `count` lines of `text`.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The full path of a program on `PATH`.
pub fn on_path(program: &str) -> Option<PathBuf> {
    in_folders(program, env::split_paths(&env::var_os("PATH")?))
}

fn in_folders(program: &str, folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let name = OsString::from(format!("{program}{}", env::consts::EXE_SUFFIX));
    folders.map(|folder| folder.join(&name)).find(|candidate| is_executable(candidate))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program-here")).unwrap_err().to_string();
        assert!(error.contains("no-such-program-here") && error.contains("PATH"), "{error}");
    }

    #[test]
    fn a_failure_carries_the_end_of_the_error_output() {
        let script = "for i in $(seq 100); do echo line $i >&2; done; exit 3";
        let error = capture(Command::new("sh").args(["-c", script])).unwrap_err().to_string();
        assert!(error.contains("line 100") && !error.contains("line 50\n"), "{error}");
        assert!(error.contains('3'), "{error}");
    }

    #[test]
    fn programs_get_no_standard_input() {
        assert_eq!(capture(Command::new("sh").args(["-c", "wc -c"])).unwrap().trim(), "0");
    }

    #[test]
    fn a_command_reads_as_one_would_type_it() {
        let mut command = Command::new("/usr/bin/echo");
        command.args(["plain", "two words", ""]);
        assert_eq!(words(&command), "echo plain 'two words' ''");
    }

    #[test]
    fn only_executable_files_count_as_programs() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = crate::files::Scratch::new();
        let path = scratch.0.join("tool");
        crate::files::write(&path, "#!/bin/sh\n").unwrap();
        let found = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            in_folders("tool", [PathBuf::from("/nowhere"), scratch.0.clone()].into_iter())
        };
        assert_eq!(found(0o644), None);
        assert_eq!(found(0o755), Some(path.clone()));
        assert_eq!(in_folders("other", std::iter::once(scratch.0.clone())), None);
    }
}
