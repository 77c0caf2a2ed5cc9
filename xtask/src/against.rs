//! `cargo xtask bench --against COMMIT`: every benchmark of an older commit and of the working tree, in turn, as ratios.
//!
//! Absolute figures differ by more than two between machines, and by tens of percents between hours on a shared one. So the older
//! commit is checked out below the build folder, built there, and each benchmark program runs first as it was and then as it
//! is, round after round; of several rounds the best of each side counts, because a neighbour only ever slows things
//! down.

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::files;
use crate::places::Places;
use crate::process;

/// The word that ends the name of a ratio above one for what has become faster or smaller.
const SPEEDUP: &str = "speedup";

/// An older commit, checked out and ready to be measured.
pub struct Before {
    /// Its places: a checkout of its own, a build folder of its own, the user's cache.
    pub places: Places,
    /// Its full name.
    pub commit: String,
}

impl Before {
    /// Checks the commit out below the build folder, or finds it there, and lets its own set-up fetch the runtime that it
    /// was made for.
    ///
    /// # Errors
    /// When there is no such commit, or it cannot be checked out or set up.
    pub fn check_out(now: &Places, commit: &str) -> Result<Self> {
        let git = |arguments: &[&str]| {
            let mut command = Command::new("git");
            command.args(arguments).current_dir(&now.root);
            command
        };
        let wanted = format!("{commit}^{{commit}}");
        let commit = process::capture(&mut git(&["rev-parse", "--verify", "--quiet", &wanted]))
            .with_context(|| format!("{commit} names no commit of this repository"))?;
        let commit = commit.trim().to_owned();
        let folder = now.target.join("against");
        let root = folder.join(&commit);
        if !root.join("Cargo.toml").is_file() {
            files::create_folder(&folder)?;
            // A build folder that was removed takes its checkouts along; Git must forget them first.
            process::run(&mut git(&["worktree", "prune"]))?;
            let mut add = git(&["worktree", "add", "--detach"]);
            process::run(add.arg(&root).arg(&commit))?;
        }
        let before =
            Self { places: Places { root, target: folder.join("build"), cache: now.cache.clone() }, commit };
        process::run(before.cargo().args(["xtask", "setup"]))?;
        Ok(before)
    }

    /// Cargo in the checkout. Releases of ONNX Runtime that a commit was made for may hold a telemetry collector, which
    /// this variable holds off.
    pub fn cargo(&self) -> Command {
        let mut command = self.places.cargo();
        command.env("CARGO_TARGET_DIR", &self.places.target).env("ORT_DISABLE_TELEMETRY", "1");
        command
    }
}

/// What a figure is better for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Better {
    Lower,
    Higher,
}

/// Which way a figure gets better; none for what is neither fast nor slow, such as counts, levels and fixed latencies.
fn better(name: &str) -> Option<Better> {
    let words: Vec<&str> = name.split('_').collect();
    if name.ends_with("_x_realtime") || words.contains(&SPEEDUP) {
        return Some(Better::Higher);
    }
    let costs = ["rtf", "percent", "ms", "mb", "transforms"];
    words.iter().any(|word| costs.contains(word)).then_some(Better::Lower)
}

/// The name of a figure's ratio: `network_rtf_default` becomes `network_default_speedup`.
fn ratio_name(name: &str) -> String {
    let kept: Vec<&str> =
        name.trim_end_matches("_x_realtime").split('_').filter(|word| *word != "rtf").collect();
    format!("{}_{SPEEDUP}", kept.join("_"))
}

/// Takes over the better of two values for each name; names that only one side has are added.
pub fn keep_best(best: &mut Map<String, Value>, round: Map<String, Value>) {
    for (name, value) in round {
        let kept = best.get(&name).and_then(Value::as_f64);
        let keep = match (kept, value.as_f64(), better(&name)) {
            (Some(kept), Some(new), Some(Better::Lower)) => kept <= new,
            (Some(kept), Some(new), Some(Better::Higher)) => kept >= new,
            _ => false,
        };
        if !keep {
            best.insert(name, value);
        }
    }
}

/// The ratio of every figure that both sides have and that can be better: above one is faster or smaller now.
pub fn speedups(before: &Map<String, Value>, after: &Map<String, Value>) -> Map<String, Value> {
    let mut ratios = Map::new();
    for (name, old) in before {
        let (Some(old), Some(new)) = (old.as_f64(), after.get(name).and_then(Value::as_f64)) else {
            continue;
        };
        let ratio = match better(name) {
            Some(Better::Lower) => old / new,
            Some(Better::Higher) => new / old,
            None => continue,
        };
        if ratio.is_finite() {
            ratios.insert(ratio_name(name), ratio.into());
        }
    }
    ratios
}

/// The table of both sides: name, before, after, ratio where there is one.
pub fn table(before: &Map<String, Value>, after: &Map<String, Value>) -> String {
    let ratios = speedups(before, after);
    let mut table = format!("{:44} {:>12} {:>12} {SPEEDUP:>9}\n", "", "before", "after");
    for (name, value) in after {
        let number = |value: Option<&Value>| {
            value.and_then(Value::as_f64).map_or_else(|| "–".into(), |value| format!("{value:.5}"))
        };
        let ratio = ratios.get(&ratio_name(name)).filter(|_| better(name).is_some());
        let ratio = ratio.and_then(Value::as_f64).map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        table +=
            &format!("{name:44} {:>12} {:>12} {ratio:>9}\n", number(before.get(name)), number(Some(value)));
    }
    table
}

/// Instruction sets of the processor that matter here, and its name: what every absolute figure depends on.
pub fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    let sets = [
        ("AVX2", std::arch::is_x86_feature_detected!("avx2")),
        ("FMA", std::arch::is_x86_feature_detected!("fma")),
        ("AVX-512", std::arch::is_x86_feature_detected!("avx512f")),
        ("AVX-512 VNNI", std::arch::is_x86_feature_detected!("avx512vnni")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let sets: [(&str, bool); 0] = [];
    let present: Vec<&str> = sets.iter().filter(|(_, present)| *present).map(|(name, _)| *name).collect();
    let simd = if present.is_empty() { "baseline instruction set".into() } else { present.join(", ") };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{}, {cores} cores, {simd}", std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(pairs: &[(&str, f64)]) -> Map<String, Value> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
    }

    #[test]
    fn ratios_above_one_are_better_whichever_way_a_figure_points() {
        let before = figures(&[
            ("network_rtf_default", 0.3),
            ("offline_mix_x_realtime", 5.0),
            ("normalizer_file_stem_to_transforms", 8.0),
            ("realtime_underruns", 4.0),
            ("gone_rtf", 1.0),
        ]);
        let after = figures(&[
            ("network_rtf_default", 0.15),
            ("offline_mix_x_realtime", 10.0),
            ("normalizer_file_stem_to_transforms", 4.0),
            ("realtime_underruns", 2.0),
            ("new_rtf", 1.0),
        ]);
        let expected = figures(&[
            ("network_default_speedup", 2.0),
            ("offline_mix_speedup", 2.0),
            ("normalizer_file_stem_to_transforms_speedup", 2.0),
        ]);
        assert_eq!(speedups(&before, &after), expected);
        let table = table(&before, &after);
        assert!(table.lines().any(|line| line.starts_with("new_rtf") && line.contains('–')), "{table}");
        assert!(
            table.lines().any(|line| line.starts_with("network_rtf_default") && line.ends_with("2.00")),
            "{table}"
        );
    }

    #[test]
    fn the_best_round_counts() {
        let mut best = figures(&[("a_rtf", 0.2), ("b_x_realtime", 3.0), ("underruns", 1.0)]);
        keep_best(&mut best, figures(&[("a_rtf", 0.3), ("b_x_realtime", 4.0), ("underruns", 5.0)]));
        assert_eq!(best, figures(&[("a_rtf", 0.2), ("b_x_realtime", 4.0), ("underruns", 5.0)]));
    }
}
