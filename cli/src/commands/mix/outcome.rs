//! What is said of a finished mix, in tables and as JSON.

use std::path::Path;

use serde_json::json;
use tributary_audio_io::dataset::{SongFiles, Source, file_name};
use tributary_audio_io::place::is_standard_output;
use tributary_audio_io::song::Song;
use tributary_dsp::Stem;
use tributary_engine::{Controls, StemFile};

use super::mixing::{Mixing, Outcome};
use crate::options::controls;
use crate::report::{self, Table};

/// Below this a meter of the engine means silence, in LUFS.
const SILENCE_LUFS: f64 = -119.0;

impl Outcome {
    /// Prints tables of the stems and of the mix.
    pub fn print(&self, song: &Song<StemFile>, files: &SongFiles, mixing: &Mixing<'_>) {
        let output = mixing.args.output.as_path();
        let assigned = assignment_table(files).map(|table| format!("{table}\n")).unwrap_or_default();
        let steered = mixing.controls != Controls::NEUTRAL;
        let titles = ["", "LUFS", "→ LUFS", "dBTP", "asked", "decided"];
        let titles: Vec<&str> = titles.into_iter().filter(|title| steered || *title != "asked").collect();
        let mut table = Table::new(&titles).ending_in_sentences();
        for stem in Stem::ALL {
            let ([before, after], decision) = (self.levels(song, stem), self.decision(song, stem));
            let mut cells =
                vec![stem.name().into(), report::level(before), report::level(after), String::new()];
            if steered {
                cells.push(controls::words(&mixing.controls.stems[stem.index()]));
            }
            cells.push(decision.unwrap_or_default().into());
            table.row(cells);
        }
        table.row(vec![
            "mix".into(),
            String::new(),
            report::level(self.loudness.integrated_lufs),
            report::level(self.loudness.true_peak_dbtp),
        ]);
        let said = format!(
            "{assigned}{table}{:.1} s of audio in {:.1} s: real-time factor {:.3}\n",
            self.duration_s,
            self.profile_s + self.mixing_s,
            self.real_time_factor()
        );
        // Where the mix itself goes to standard output, words do not.
        if is_standard_output(output) {
            report::say_aside(said.trim_end());
        } else {
            report::say(format!("{said}{}", output.display()));
        }
    }

    /// The levels of a stem, before and after.
    pub fn levels(&self, song: &Song<StemFile>, stem: Stem) -> [Option<f64>; 2] {
        let index = stem.index();
        match song.stems[index] {
            Some(_) => [&self.figures.before[index], &self.figures.after[index]].map(audible),
            None => [None; 2],
        }
    }

    /// What was decided about a stem; none for one that is not there.
    fn decision(&self, song: &Song<StemFile>, stem: Stem) -> Option<&str> {
        let is_there = song.stems[stem.index()].is_some();
        match self.levels(song, stem) {
            [None, None] if is_there => Some("silent, left as it is"),
            _ => is_there.then_some(&self.decisions[stem.index()]),
        }
    }

    /// Everything that was measured.
    pub fn to_json(
        &self,
        song: &Song<StemFile>,
        files: &SongFiles,
        mixing: &Mixing<'_>,
    ) -> serde_json::Value {
        let stems: Vec<_> = Stem::ALL
            .into_iter()
            .map(|stem| {
                json!({
                    "name": stem.name(),
                    "present": song.stems[stem.index()].is_some(),
                    "files": names(&files.stems[stem.index()]),
                    "before_lufs": audible(&self.figures.before[stem.index()]),
                    "after_lufs": audible(&self.figures.after[stem.index()]),
                    "decision": self.decision(song, stem),
                })
            })
            .collect();
        json!({
            "format": 1,
            "model": mixing.choice.name(),
            "recipe": mixing.recipe,
            "profile": mixing.args.profile,
            "statistics": if self.learned { "learned" } else { "running" },
            "controls": mixing.controls,
            "latency_mode": mixing.args.latency_mode,
            "sample_rate_hz": song.sample_rate_hz,
            "frames": song.frames,
            "duration_s": self.duration_s,
            "stems": stems,
            "mix_lufs": self.loudness.integrated_lufs,
            "mix_true_peak_dbtp": self.loudness.true_peak_dbtp,
            "profile_s": self.profile_s,
            "mixing_s": self.mixing_s,
            "real_time_factor": self.real_time_factor(),
            "latency_frames": self.latency.total_frames(),
            "latency": self.latency,
            "unused": files.unused.iter().map(|one| file_name(&one.path)).collect::<Vec<_>>(),
            "notes": song.notes,
        })
    }
}

/// Names of the files that sources lie in.
fn names(sources: &[Source]) -> Vec<String> {
    sources.iter().flat_map(Source::paths).map(file_name).collect()
}

/// Which files went into which stem; none where every stem is one file of its name.
fn assignment_table(files: &SongFiles) -> Option<Table> {
    let plain = |stem: Stem, name: &String| {
        Path::new(name).file_stem().is_some_and(|name| name.eq_ignore_ascii_case(stem.name()))
    };
    let named = Stem::ALL.map(|stem| (stem, names(&files.stems[stem.index()])));
    if named.iter().all(|(stem, names)| names.len() < 2 && names.iter().all(|name| plain(*stem, name))) {
        return None;
    }
    let mut table = Table::new(&["stem", "files"]);
    for (stem, names) in named {
        table.row(vec![stem.name().into(), names.join(", ")]);
    }
    Some(table)
}

/// The integrated loudness of a meter, or none for silence.
fn audible(meter: &tributary_engine::Loudness) -> Option<f64> {
    (meter.integrated_lufs > SILENCE_LUFS).then_some(meter.integrated_lufs)
}
