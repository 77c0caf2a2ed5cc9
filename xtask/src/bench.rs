//! `cargo xtask bench`: runs the benchmarks and collects what they print into one flat JSON.
//!
//! A benchmark program prints one line per result, `bench: NAME VALUE`, where the name carries the unit as identifiers
//! do (`equalization_realtime_factor`). Other lines are for people. One flat object compares with any other by eye.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Map, Value};

use crate::files;
use crate::onnx_runtime;
use crate::places::Places;
use crate::setup;
use crate::steps::Steps;

/// What can be said on the command line.
#[derive(Args)]
pub struct BenchArguments {
    /// Write the results here, as one object of names and numbers
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Sets up, runs every benchmark, writes the results.
pub fn run(places: &Places, arguments: &BenchArguments) -> Result<()> {
    let mut steps = Steps::default();
    setup::prepare(places, &mut steps)?;
    let printed = steps.required("benchmarks", || measure(places))?;
    let results = results_in(&printed)?;
    if results.is_empty() {
        bail!("no benchmark printed a result");
    }
    if let Some(file) = &arguments.json {
        let text = serde_json::to_string_pretty(&results).context("cannot write the results as JSON")?;
        steps.required("results", || files::write(file, &format!("{text}\n")))?;
    }
    steps.finish()
}

/// Runs the benchmarks of all crates; returns what they printed, which is also shown.
fn measure(places: &Places) -> Result<String> {
    let mut command = places.cargo();
    command.args(["bench", "--workspace", "--benches"]).env("ORT_DYLIB_PATH", onnx_runtime::library(places)?);
    let ran = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
    print!("{printed}");
    if !ran.status.success() {
        bail!("a benchmark failed; see the messages above");
    }
    Ok(printed)
}

/// The results among the lines that benchmarks print. A name that comes twice is an error: one would hide the other.
fn results_in(printed: &str) -> Result<Map<String, Value>> {
    let mut results = Map::new();
    for line in printed.lines().filter_map(|line| line.strip_prefix("bench: ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, value] = words[..] else {
            bail!("a benchmark printed {line:?}; expected a name and a number")
        };
        let value: f64 =
            value.parse().with_context(|| format!("the result of {name} is not a number: {value}"))?;
        if results.insert(name.to_owned(), value.into()).is_some() {
            bail!("two benchmarks are called {name}");
        }
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_told_from_other_lines() {
        let results = results_in("Running …\nbench: chain_realtime_factor 0.25\nbench: hop_ms 12\n").unwrap();
        assert_eq!(results.len(), 2);
        assert_eq!(results["chain_realtime_factor"], 0.25);
        assert_eq!(results["hop_ms"], 12.0);
    }

    #[test]
    fn unclear_results_are_refused() {
        assert!(results_in("bench: name_only\n").is_err());
        assert!(results_in("bench: speed fast\n").is_err());
        assert!(results_in("bench: twice 1\nbench: twice 2\n").is_err());
    }
}
