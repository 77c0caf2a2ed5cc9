//! `cargo xtask bench`: runs the benchmarks of all crates and collects their results into one flat JSON.
//!
//! A benchmark program prints each result on a line of its own, a name and a number, as a table or as members of a JSON
//! object; other lines are for people. The name carries the unit, as identifiers do. Figures of two machines, or of two
//! hours, do not compare: `--against` measures an older commit in the same run (`against.rs`).

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::against::{self, Before};
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
    /// Measure this commit as well, in turn with the working tree, and print every figure's ratio
    #[arg(long, value_name = "COMMIT")]
    against: Option<String>,
    /// How often every benchmark runs; the best counts
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// Run only the benchmark program of this name
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

/// One side of a comparison: where it is built, and the figures so far.
struct Side<'a> {
    places: &'a Places,
    before: Option<&'a Before>,
    published: PathBuf,
    figures: Map<String, Value>,
}

impl<'a> Side<'a> {
    fn of(places: &'a Places, before: Option<&'a Before>) -> Self {
        Self { places, before, published: PathBuf::new(), figures: Map::new() }
    }

    fn name(&self) -> &'static str {
        if self.before.is_some() { "before" } else { "now" }
    }
}

/// Sets up, runs every benchmark, writes the results.
pub fn run(places: &Places, arguments: &BenchArguments) -> Result<()> {
    arguments.json.as_deref().map_or(Ok(()), files::check_target)?;
    let mut steps = Steps::default();
    setup::prepare(places, &mut steps)?;
    let environment = VirtualEnvironment::of(places, &test::training_requirements(places))?;
    steps.required("venv", || system::provide(system::TO_TRAIN))?;
    steps.required("training: environment", || environment.build())?;
    let before = match &arguments.against {
        Some(commit) => {
            Some(steps.required("check out the older commit", || Before::check_out(places, commit))?)
        }
        None => None,
    };
    let mut sides: Vec<Side<'_>> =
        before.iter().map(|before| Side::of(&before.places, Some(before))).collect();
    sides.push(Side::of(places, None));
    for side in &mut sides {
        let step = format!("the published size, {}", side.name());
        side.published = steps.required(&step, || published_size(side.places, &environment))?;
    }
    measure_all(places, arguments, &mut sides, &mut steps)?;
    report(arguments, before.as_ref(), sides, &mut steps)?;
    steps.finish()
}

/// Every benchmark of every side in turn, round after round. A benchmark that the older commit does not have runs on one
/// side only.
fn measure_all(
    places: &Places,
    arguments: &BenchArguments,
    sides: &mut [Side<'_>],
    steps: &mut Steps,
) -> Result<()> {
    let chosen = |name: &String| arguments.only.as_ref().is_none_or(|only| only == name);
    let names: Vec<String> = benchmarks(places)?.into_iter().filter(chosen).collect();
    if names.is_empty() {
        bail!("there is no such benchmark; the names are {}", benchmarks(places)?.join(", "));
    }
    for round in 1..=arguments.rounds {
        for name in &names {
            for side in &mut *sides {
                if side.before.is_some() && !benchmarks(side.places)?.contains(name) {
                    continue;
                }
                let step = format!("{name}, {}, round {round} of {}", side.name(), arguments.rounds);
                let printed = steps.required(&step, || measure(side, name))?;
                let mut figures = Map::new();
                collect(&printed, &mut figures)?;
                against::keep_best(&mut side.figures, figures);
            }
        }
    }
    Ok(())
}

/// Prints the figures, beside the older commit's where there is one, and writes them where that was asked for.
fn report(
    arguments: &BenchArguments,
    before: Option<&Before>,
    mut sides: Vec<Side<'_>>,
    steps: &mut Steps,
) -> Result<()> {
    let Some(now) = sides.pop() else { bail!("nothing was measured") };
    if now.figures.is_empty() {
        bail!("no benchmark printed a result");
    }
    let mut results = now.figures;
    println!("\n{}", against::processor());
    if let (Some(older), Some(before)) = (sides.pop(), before) {
        println!("before: {}", before.commit);
        print!("{}", against::table(&older.figures, &results));
        let ratios = against::speedups(&older.figures, &results);
        results.extend(older.figures.into_iter().map(|(name, value)| (format!("before_{name}"), value)));
        results.extend(ratios);
    } else {
        for (name, value) in &results {
            println!("{name:44} {value}");
        }
    }
    if let Some(file) = &arguments.json {
        let text = serde_json::to_string_pretty(&results).context("cannot write the results as JSON")?;
        steps.required("write the results", || files::write(file, &format!("{text}\n")))?;
    }
    Ok(())
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
fn measure(side: &Side<'_>, name: &str) -> Result<String> {
    let mut command = match side.before {
        // The older commit finds the runtime that it was made for in the cache, where its own set-up put it.
        Some(before) => before.cargo(),
        None => {
            let mut command = side.places.cargo();
            command.env("ORT_DYLIB_PATH", onnx_runtime::library(side.places)?);
            command
        }
    };
    command.args(["bench", "--workspace", "--bench", name]);
    command.env("TRIBUTARY_PUBLISHED_SIZE", &side.published);
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
