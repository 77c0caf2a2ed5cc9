//! `tributary listen`: makes a listening test of one page, and analyzes what its listeners send back.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use tributary_audio_io::file_output;
use tributary_audio_io::outputs::Outputs;

use crate::listening::{self, Analysis, Plan, Settings, Unit};
use crate::report::{self, Table};

/// Arguments of `tributary listen`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make the test: one HTML file with everything in it
    Build(BuildArgs),
    /// Analyze results: one HTML report
    Analyze(AnalyzeArgs),
}

/// Arguments of `tributary listen build`.
#[derive(Debug, clap::Args)]
pub struct BuildArgs {
    /// What the test is made of; docs/listening.md explains it
    #[arg(value_name = "TEST.TOML")]
    plan: PathBuf,
    /// The page to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Arguments of `tributary listen analyze`.
#[derive(Debug, clap::Args)]
pub struct AnalyzeArgs {
    /// Result files as listeners saved them
    #[arg(required = true, value_name = "JSON")]
    results: Vec<PathBuf>,
    /// The report to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Also write every rating as CSV, for R
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Also write the whole analysis as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The test to analyze, when results of several lie together [default: the one with most results]
    #[arg(long, value_name = "ID")]
    test: Option<String>,
    /// What counts as one observation
    #[arg(long, value_enum, default_value_t = Unit::Listener)]
    unit: Unit,
    /// Level of significance
    #[arg(long, value_name = "0..1", default_value_t = 0.05)]
    level: f64,
    /// Leave out listeners below this reliability [default: as in the test]
    #[arg(long, value_name = "≤1", allow_negative_numbers = true)]
    minimum_reliability: Option<f64>,
    /// Keep listeners who did not rate every page
    #[arg(long)]
    keep_incomplete: bool,
}

/// Builds or analyzes.
///
/// # Errors
/// One sentence says what is wrong with the plan, the audio, the results, or the place to write to.
pub fn run(args: &Args) -> Result<()> {
    match &args.command {
        Command::Build(args) => build(args),
        Command::Analyze(args) => analyze(args),
    }
}

fn build(args: &BuildArgs) -> Result<()> {
    let plan = Plan::read(&args.plan)?;
    Outputs::new().texts([&args.output]).reads([&args.plan]).reads(plan.paths()).check()?;
    let page = listening::build(&plan)?;
    file_output::write_text(&args.output, &page.html).with_context(|| args.output.display().to_string())?;
    report::say(page.table.to_string().trim_end());
    page.warnings.iter().for_each(|warning| report::note(warning));
    report::say(format!(
        "{} songs × {} attributes, about {:.0} minutes; {:.1} MB in {}",
        plan.songs.len(),
        plan.attributes.len(),
        page.minutes,
        page.html.len() as f64 / 1e6,
        args.output.display()
    ));
    Ok(())
}

fn analyze(args: &AnalyzeArgs) -> Result<()> {
    ensure!(args.level > 0.0 && args.level < 1.0, "--level is {}; it lies between 0 and 1", args.level);
    if let Some(minimum) = args.minimum_reliability {
        ensure!(
            minimum.is_finite() && minimum <= 1.0,
            "--minimum-reliability is {minimum}; at most 1 is possible"
        );
    }
    let outputs = Outputs::new().texts([&args.output]).texts(&args.csv).texts(&args.json);
    outputs.reads(&args.results).check()?;
    let settings = Settings {
        unit: args.unit,
        level: args.level,
        minimum_reliability: args.minimum_reliability,
        keep_incomplete: args.keep_incomplete,
    };
    let results = listening::read_all(&args.results, args.test.as_deref())?;
    let analysis = Analysis::of(results, settings);
    for file in &analysis.rejected {
        report::note(&format!("{} {}; it is not used", file.file, file.reason));
    }
    for listener in &analysis.listeners {
        if let Some(reason) = &listener.excluded {
            report::note(&format!("listener {} is excluded: {reason}", listener.listener));
        }
    }
    let write = |path: &PathBuf, text: &str| {
        file_output::write_text(path, text).with_context(|| path.display().to_string())
    };
    write(&args.output, &listening::html(&analysis))?;
    if let Some(path) = &args.csv {
        write(path, &listening::csv(&analysis))?;
    }
    if let Some(path) = &args.json {
        write(path, &listening::json(&analysis)?)?;
    }
    report::say(table(&analysis).to_string().trim_end());
    report::say(format!(
        "{} of {} listeners count; report in {}",
        analysis.included(),
        analysis.listeners.len(),
        args.output.display()
    ));
    Ok(())
}

fn table(analysis: &Analysis) -> Table {
    let mut table = Table::new(&["attribute", "system", "n", "median", "mean"]);
    for attribute in &analysis.attributes {
        for system in &attribute.systems {
            table.row(vec![
                attribute.name.clone(),
                system.name.clone(),
                system.values.len().to_string(),
                format!("{:.1}", system.quartiles[1]),
                format!("{:.1}", system.mean),
            ]);
        }
    }
    table
}
