//! `cargo xtask bench`: runs the benchmarks of all crates and collects their results into one flat JSON.
//!
//! A benchmark program prints each result on a line of its own, a name and a number, as a table or as members of a JSON
//! object; other lines are for people. The name carries the unit, as identifiers do. One flat object compares with any
//! other by eye.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::files;
use crate::onnx_runtime;
use crate::places::Places;
use crate::process;
use crate::python::VirtualEnvironment;
use crate::setup;
use crate::steps::Steps;
use crate::system;
use crate::test;

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
    let environment = VirtualEnvironment::of(places, &test::training_requirements(places))?;
    steps.required("venv", || system::provide(system::TO_TRAIN))?;
    steps.required("training: environment", || environment.build())?;
    let published = steps.required("the published size", || published_size(places, &environment))?;
    let mut results = Map::new();
    for name in benchmarks(places)? {
        let printed = steps.required(&name, || measure(places, &name, &published))?;
        collect(&printed, &mut results)?;
    }
    if results.is_empty() {
        bail!("no benchmark printed a result");
    }
    if let Some(file) = &arguments.json {
        let text = serde_json::to_string_pretty(&results).context("cannot write the results as JSON")?;
        steps.required("write the results", || files::write(file, &format!("{text}\n")))?;
    }
    println!();
    for (name, value) in &results {
        println!("{name:44} {value}");
    }
    steps.finish()
}

/// The folder of the bundles of the published size with random weights; they are made anew, since the code that exports
/// them may have changed.
fn published_size(places: &Places, environment: &VirtualEnvironment) -> Result<PathBuf> {
    let folder = places.target.join("bench").join("published-size");
    let mut command = environment.python();
    command.args(["-m", "crafx2.cost", "--bundles"]).arg(&folder).current_dir(places.model_export());
    process::run(&mut command)?;
    Ok(folder)
}

/// The names of all benchmark programs of the workspace.
fn benchmarks(places: &Places) -> Result<Vec<String>> {
    let text = process::capture(places.cargo().args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: Value = serde_json::from_str(&text).context("cargo metadata is not JSON")?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let targets = packages.iter().filter_map(|package| package["targets"].as_array()).flatten();
    let benches = targets.filter(|target| target["kind"] == json!(["bench"]));
    Ok(benches.filter_map(|target| target["name"].as_str().map(String::from)).collect())
}

/// Runs one benchmark; returns what it printed, which is also shown.
fn measure(places: &Places, name: &str, published_size: &Path) -> Result<String> {
    let mut command = places.cargo();
    command.args(["bench", "--workspace", "--bench", name]);
    command.env("ORT_DYLIB_PATH", onnx_runtime::library(places)?);
    command.env("TRIBUTARY_PUBLISHED_SIZE", published_size);
    let mut running =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let mut printed = String::new();
    if let Some(output) = running.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line.context("cannot read what the benchmark prints")?;
            println!("{line}");
            printed += &line;
            printed.push('\n');
        }
    }
    if !running.wait()?.success() {
        bail!("the benchmark {name} failed; see the messages above");
    }
    Ok(printed)
}

/// Adds the results among the lines of one benchmark. A name that comes twice is an error: one would hide the other.
fn collect(printed: &str, results: &mut Map<String, Value>) -> Result<()> {
    for (name, value) in printed.lines().filter_map(result_in) {
        if results.insert(name.clone(), value.into()).is_some() {
            bail!("two benchmark results are called {name}");
        }
    }
    Ok(())
}

/// The name and number that a line consists of, if it does: `name 1.5` or `"name": 1.5,`.
fn result_in(line: &str) -> Option<(String, f64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [name, value] = words[..] else { return None };
    let name = name.trim_end_matches(':').trim_matches('"');
    let is_name =
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && name.contains(char::is_alphabetic);
    let value: f64 = value.trim_end_matches(',').parse().ok()?;
    (is_name && value.is_finite()).then(|| (name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_json_are_read_and_other_lines_are_not() {
        let mut results = Map::new();
        let table =
            "chain_rtf        0.25000\n  latency: hop 12.0 ms\nRunning benches\n12 13\nnot_a_number NaN\n";
        collect(table, &mut results).unwrap();
        collect("{\n  \"hop_ms\": 12,\n  \"start_ms\": 0.5\n}\n", &mut results).unwrap();
        assert_eq!(Value::Object(results), json!({"chain_rtf": 0.25, "hop_ms": 12.0, "start_ms": 0.5}));
    }

    #[test]
    fn one_name_for_two_results_is_refused() {
        let mut results = Map::new();
        collect("speed 1\n", &mut results).unwrap();
        assert!(collect("speed 2\n", &mut results).is_err());
    }
}
