//! `tributary stems`: says which stem each audio file of a folder goes into, and writes that down as a file to edit.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use tributary_audio_io::dataset::assignment::{Assigned, Use, assign};
use tributary_audio_io::dataset::{Rule, STEMS_FILE, file_name};
use tributary_audio_io::file_output;
use tributary_audio_io::outputs::Outputs;

use crate::report::{self, Table};

/// Arguments of `tributary stems`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A folder of audio files
    folder: PathBuf,
    /// Which stem files belong to, before stems.toml and their names; may be given many times
    #[arg(long, value_name = "PATTERN=STEM")]
    assign: Vec<Rule>,
    /// The file to write [default: stems.toml in the folder, unless there is one]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Shows and writes the assignment of one folder.
///
/// # Errors
/// The folder cannot be listed or holds no audio, its `stems.toml` cannot be used, or the file cannot be written.
pub fn run(args: &Args) -> Result<()> {
    let assignment = assign(&args.folder, &args.assign)?;
    ensure!(!assignment.files.is_empty(), "{} holds no audio files", args.folder.display());
    let beside = (!assignment.from_file).then(|| args.folder.join(STEMS_FILE));
    let output = args.output.clone().or(beside);
    let inputs = assignment.files.iter().map(|file| &file.path);
    Outputs::new().texts(&output).reads(inputs).check()?;
    report::say(table(&assignment.files).to_string().trim_end());
    assignment.problem.iter().for_each(|problem| report::note(problem));
    match output {
        None => report::say(format!("as {} says", args.folder.join(STEMS_FILE).display())),
        Some(path) => {
            file_output::write_text(&path, &text(&assignment.files))
                .with_context(|| path.display().to_string())?;
            report::say(path.display());
        }
    }
    Ok(())
}

fn table(files: &[Assigned]) -> Table {
    let mut table = Table::new(&["file", "stem", ""]);
    for file in files {
        table.row(vec![file_name(&file.path), file.goes.name().into(), file.why.clone().unwrap_or_default()]);
    }
    table
}

/// The assignment as `stems.toml` has it.
fn text(files: &[Assigned]) -> String {
    let mut text = "# Which stem each audio file of this folder belongs to: vocals, bass, drums, other, mixture (a human mix) or\n\
                    # unused. * stands for any letters, ? for one: \"Kick*\" = \"drums\".\n[files]\n"
        .to_owned();
    for file in files {
        let why = match (&file.why, file.goes) {
            (Some(why), Use::Unused) => format!(" # {}", why.replace(char::is_control, " ")),
            _ => String::new(),
        };
        let _ = writeln!(text, "\"{}\" = \"{}\"{why}", escaped(&file_name(&file.path)), file.goes.name());
    }
    text
}

/// A text between TOML's double quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            c if c.is_control() => drop(write!(escaped, "\\u{:04X}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}
