//! `tributary evaluate` as a user runs it: what a change of one thing moves and leaves alone, data sets, reports, mistakes.

mod support;

use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Run, STEMS, Wav, folder, signal, song, tributary, write_with};

/// Long enough for a few windows of style drift.
const SONG: Wav = Wav { seconds: 8.0, ..Wav::FLOAT };

/// A song that uses the whole spectrum and the whole stage: the four test stems, hissing hits on either side, a low end
/// in the middle.
fn music(time_s: f64, channel: u16) -> f64 {
    let stems: f64 = (0..4).map(|stem| signal(stem, time_s, channel)).sum();
    let hit = |every_s: f64, shift_s: f64| {
        let since_s = (time_s + shift_s) % every_s;
        // A different noise for every hit, the same in both channels.
        let n = (time_s * 44_100.0).round();
        let noise = (n * 12.9898 + shift_s).sin() * 43_758.547;
        (noise - noise.floor() - 0.5) * (-40.0 * since_s).exp()
    };
    let side = if channel == 0 { 1.0 } else { -0.6 };
    0.4 * stems
        + 0.3 * hit(0.37, 0.0) * (1.0 + 0.8 * side)
        + 0.2 * hit(0.53, 0.11) * (1.0 - side)
        + 0.1 * (TAU * 55.0 * time_s).sin()
}

/// Writes a mix of the song; `change` gets the sample, its time and its channel.
fn mix(path: &Path, wav: Wav, change: impl Fn(f64, f64, u16) -> f64) -> PathBuf {
    write_with(path, wav, |time_s, channel| change(music(time_s, channel), time_s, channel));
    path.to_owned()
}

fn evaluate(arguments: &[&str], json: &Path) -> Run {
    let mut all = vec!["evaluate"];
    all.extend(arguments);
    all.extend(["--max-lag", "2", "--json", json.to_str().expect("plain")]);
    tributary(&all)
}

fn parsed(json: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(json).expect("there")).expect("JSON")
}

fn named(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

fn system<'a>(report: &'a Value, song: usize, name: &str) -> &'a Value {
    let systems = report["songs"][song]["systems"].as_array().expect("a list");
    systems.iter().find(|system| system["name"] == name).unwrap_or_else(|| panic!("{name} is missing"))
}

#[track_caller]
fn distance(report: &Value, name: &str, key: &str) -> f64 {
    let figure = &system(report, 0, name)["figures"][key]["distance"];
    figure.as_f64().unwrap_or_else(|| panic!("{name} has no {key}: {figure}"))
}

/// A first-order high shelf: `y + (gain − 1) · high-passed y`, applied to a whole file.
fn shelved(from: &Path, to: &Path, gain_db: f64) {
    let (rate_hz, left, right) = support::read(from);
    let gain = 10f64.powf(gain_db / 20.0) - 1.0;
    let smooth = (-TAU * 2_000.0 / f64::from(rate_hz)).exp();
    let filter = |samples: &[f32]| -> Vec<f64> {
        let mut low = 0.0;
        let run = samples.iter().map(|&x| {
            low = smooth * low + (1.0 - smooth) * f64::from(x);
            f64::from(x) + gain * (f64::from(x) - low)
        });
        run.collect()
    };
    let (left, right) = (filter(&left), filter(&right));
    let at = |time_s: f64| (time_s * f64::from(rate_hz)).round() as usize;
    write_with(to, SONG, |time_s, channel| if channel == 0 { left[at(time_s)] } else { right[at(time_s)] });
}

#[test]
fn each_figure_sees_its_own_change_and_no_other() {
    let root = folder("evaluate-sensitivity");
    let reference = mix(&root.join("reference.wav"), SONG, |x, _, _| x);
    let same = mix(&root.join("same.wav"), SONG, |x, _, _| x);
    let quiet = mix(&root.join("quiet.wav"), SONG, |x, _, _| -0.25 * x);
    // 1777 frames late, half as loud and upside down.
    let late = root.join("late.wav");
    write_with(&late, SONG, |time_s, channel| {
        let frame = (time_s * 44_100.0).round() - 1_777.0;
        if frame < 0.0 { 0.0 } else { -0.5 * music(frame / 44_100.0, channel) }
    });
    let bright = root.join("bright.wav");
    shelved(&reference, &bright, 3.0);
    // Everything a quarter to the right, at equal power.
    let angle = TAU / 8.0 + 0.25;
    let panned = mix(&root.join("panned.wav"), SONG, |x, _, channel| {
        x * 2f64.sqrt() * if channel == 0 { angle.cos() } else { angle.sin() }
    });
    let arguments = [
        "--reference",
        reference.to_str().expect("plain"),
        "--mix",
        &named("same", &same),
        "--mix",
        &named("quiet", &quiet),
        "--mix",
        &named("late", &late),
        "--mix",
        &named("bright", &bright),
        "--mix",
        &named("panned", &panned),
    ];
    let json = root.join("report.json");
    evaluate(&arguments, &json).succeeds();
    let report = parsed(&json);
    let headline =
        ["tone_db", "side_db", "width_db", "psr_lu", "panning_error", "published_spectral", "stft_error"];

    // The same mix is at no distance in any figure.
    for (key, figure) in system(&report, 0, "same")["figures"].as_object().expect("an object") {
        assert_eq!(figure["distance"].as_f64(), Some(0.0), "{key}");
    }
    // Gain, polarity and lag move nothing but levels, and are reported.
    for name in ["quiet", "late"] {
        for key in headline.iter().chain(&["style_drift_db", "placement_error"]) {
            assert!(distance(&report, name, key) < 2e-3, "{name} {key}: {}", distance(&report, name, key));
        }
        assert_eq!(system(&report, 0, name)["alignment"]["inverted"], true);
    }
    assert_eq!(system(&report, 0, "late")["alignment"]["lag_frames"], 1_777);
    assert!((distance(&report, "quiet", "integrated_lufs") - 12.04).abs() < 0.05);
    assert!((distance(&report, "quiet", "plr_lu")).abs() < 0.05);
    // A shelf moves tone and not panning; a pan moves panning and not tone.
    assert!(distance(&report, "bright", "tone_db") > 0.7);
    assert!(distance(&report, "bright", "tone_high_db") > distance(&report, "bright", "tone_low_db"));
    for key in ["panning_error", "placement_error", "side_db", "imbalance_db", "style_drift_db"] {
        let (shelf, pan) = (distance(&report, "bright", key), distance(&report, "panned", key));
        assert!(shelf < 0.25, "{key}: {shelf}");
        if key != "side_db" && key != "style_drift_db" {
            assert!(pan > 10.0 * shelf && pan > 0.1, "{key}: {pan} {shelf}");
        }
    }
    assert!(distance(&report, "panned", "tone_db") < 0.35, "{}", distance(&report, "panned", "tone_db"));
    assert!(distance(&report, "panned", "tone_db") < distance(&report, "bright", "tone_db") / 2.0);
}

#[test]
fn any_rate_and_length_and_a_lead_in_are_compared_in_their_common_part() {
    let root = folder("evaluate-rates");
    let reference = mix(&root.join("reference.wav"), SONG, |x, _, _| x);
    let other = Wav { rate_hz: 48_000, seconds: 9.5, ..SONG };
    // Starts 1.25 s before the human mix does and ends before its end.
    let early = root.join("early.wav");
    write_with(
        &early,
        other,
        |time_s, channel| if time_s < 1.25 { 0.0 } else { music(time_s - 1.25, channel) },
    );
    let json = root.join("report.json");
    let arguments = ["--reference", reference.to_str().expect("plain"), "--mix", &named("early", &early)];
    evaluate(&arguments, &json).succeeds();
    let report = parsed(&json);
    let lag = system(&report, 0, "early")["alignment"]["lag_frames"].as_i64().expect("a number");
    assert!((lag - 55_125).abs() <= 1, "{lag}");
    let duration_s = report["songs"][0]["duration_s"].as_f64().expect("a number");
    assert!((duration_s - 8.0).abs() < 1e-3, "{duration_s}");
    // Resampling does the rest: hits of noise up to half the rate lose their last octave's edge.
    assert!(distance(&report, "early", "tone_db") < 0.2, "{}", distance(&report, "early", "tone_db"));
}

/// A set of two songs with stems, a human mix and one system.
fn small_set(root: &Path) -> PathBuf {
    for name in ["One", "Two"] {
        let folder = song(&root.join(name), SONG);
        let gains = [0.9, 0.5, 0.8, 0.4];
        let sum = |gains: [f64; 4]| {
            move |time_s: f64, channel: u16| {
                (0..4).map(|stem| gains[stem] * signal(stem, time_s, channel)).sum::<f64>()
            }
        };
        write_with(&folder.join("mixture.wav"), SONG, sum(gains));
        write_with(&folder.join("bass boost.wav"), SONG, sum([0.9, 1.0, 0.8, 0.4]));
    }
    root.to_owned()
}

#[test]
fn a_set_gets_baselines_statistics_and_all_reports() {
    let root = folder("evaluate-set");
    let set = small_set(&root.join("set"));
    let (json, csv, html) = (root.join("r.json"), root.join("r.csv"), root.join("r.html"));
    let arguments = [
        set.to_str().expect("plain"),
        "--baselines",
        "raw,equal,static",
        "--focus",
        "bass boost",
        "--csv",
        csv.to_str().expect("plain"),
        "--html",
        html.to_str().expect("plain"),
    ];
    let run = evaluate(&arguments, &json).succeeds();
    assert!(run.out.contains("mean of 2 songs") && run.out.contains("static baseline"), "{}", run.out);
    let report = parsed(&json);
    assert_eq!(report["songs"].as_array().expect("songs").len(), 2);
    assert_eq!(report["summary"]["focus"], "bass boost");
    assert_eq!(
        report["summary"]["systems"],
        serde_json::json!(["bass boost", "raw sum", "equal loudness", "static baseline"])
    );
    // The bass of the raw sum is 6 dB up as well, and so are the vocals and more: the balance tells them apart.
    let figure = &system(&report, 0, "bass boost")["figures"];
    let louder = |key: &str| {
        figure[key]["mix"].as_f64().expect("there") - figure[key]["reference"].as_f64().expect("there")
    };
    let relative = louder("bass_lu") - louder("vocals_lu");
    assert!((relative - 6.02).abs() < 0.7, "{relative}");
    // Both songs are alike, so both means equal their values.
    let tone =
        report["summary"]["figures"].as_array().expect("figures").iter().find(|f| f["key"] == "tone_db");
    let mean = tone.expect("there")["systems"][0]["mean"].as_f64().expect("a number");
    assert!((mean - distance(&report, "bass boost", "tone_db")).abs() < 1e-9);

    let csv = fs::read_to_string(&csv).expect("there");
    let figures: usize = report["songs"]
        .as_array()
        .expect("songs")
        .iter()
        .flat_map(|song| song["systems"].as_array().expect("systems"))
        .map(|system| system["figures"].as_object().expect("figures").len())
        .sum();
    assert_eq!(csv.lines().count(), 1 + figures);
    assert!(csv.lines().all(|line| line.split(',').count() == 9), "a comma in a name would need quotes");

    let html = fs::read_to_string(&html).expect("there");
    assert_eq!(html.matches("<audio").count(), 2 * 5);
    assert!(html.contains("data:audio/flac;base64,ZkxhQ"), "the audio is inside, as FLAC");
    for outside in ["http://", "https://", "src=\"/", "@import", "url("] {
        assert!(!html.contains(outside), "the report must not need {outside}");
    }
    for (open, close) in
        [("<svg", "</svg>"), ("<details", "</details>"), ("<table", "</table>"), ("<figure", "</figure>")]
    {
        assert_eq!(html.matches(open).count(), html.matches(close).count(), "{open}");
    }
    assert!(html.matches("role=\"img\" aria-label=").count() >= 4 + 2 * 4, "pictures have words");
}

#[test]
fn players_can_be_left_out_and_the_result_does_not_depend_on_the_number_of_threads() {
    let root = folder("evaluate-threads");
    let set = small_set(&root.join("set"));
    let html = root.join("r.html");
    let mut reports = Vec::new();
    for jobs in ["1", "3"] {
        let json = root.join("r.json");
        let arguments = [set.to_str().expect("plain"), "--baselines", "raw", "--jobs", jobs, "--html"];
        let html = [html.to_str().expect("plain"), "--no-audio"];
        evaluate(&[&arguments[..], &html].concat(), &json).succeeds();
        reports.push(fs::read(&json).expect("there"));
    }
    assert!(reports[0] == reports[1]);
    assert!(!fs::read_to_string(&html).expect("there").contains("<audio"));
}

#[test]
fn stems_summed_to_mono_leave_only_the_width_that_a_mix_makes() {
    let root = folder("evaluate-mono");
    let set = small_set(&root.join("set"));
    let json = root.join("r.json");
    let arguments = [set.to_str().expect("plain"), "--baselines", "raw,static"];
    let mut widths = Vec::new();
    for mono in [&[][..], &["--mono-stems"]] {
        evaluate(&[&arguments[..], mono].concat(), &json).succeeds();
        let report = parsed(&json);
        assert_eq!(report["options"]["mono_stems"], !mono.is_empty());
        let notes = report["songs"][0]["notes"].to_string();
        assert_eq!(notes.contains("every stem was summed to mono"), !mono.is_empty(), "{notes}");
        let width =
            |mix: &str| system(&report, 0, mix)["figures"]["width_db"]["mix"].as_f64().expect("there");
        widths.push([width("raw sum"), width("static baseline"), width("bass boost")]);
    }
    let [stereo, mono] = [widths[0], widths[1]];
    assert!(stereo[0] > -30.0 && mono[0] == -40.0, "the plain sum of mono stems is mono: {widths:?}");
    assert!(mono[1] > -30.0, "the static baseline makes a side of its own: {widths:?}");
    assert_eq!(stereo[2], mono[2], "a mix that is given is judged as it is");
}

#[test]
fn scrambled_gains_move_only_mixes_that_take_levels_as_they_come() {
    let root = folder("evaluate-scrambled");
    let set = small_set(&root.join("set"));
    fs::remove_dir_all(set.join("Two")).expect("there");
    let json = root.join("r.json");
    let arguments = [set.to_str().expect("plain"), "--baselines", "raw,equal", "--scramble-gains"];
    evaluate(&arguments, &json).succeeds();
    let report = parsed(&json);
    let moved = |mix: &str| system(&report, 0, mix)["level_spread_lu"].as_f64().expect("there");
    assert!(moved("raw sum") > 10.0, "{}", moved("raw sum"));
    assert!(moved("equal loudness") < 0.1, "{}", moved("equal loudness"));
    assert!(moved("bass boost") < 0.01, "a mix that is given stays as it is: {}", moved("bass boost"));
    // Neither do the stems' gains count where audibility is measured by them.
    let judged = distance(&report, "equal loudness", "audibility_db");
    evaluate(&arguments[..3], &json).succeeds();
    let plain = distance(&parsed(&json), "equal loudness", "audibility_db");
    assert!((judged - plain).abs() < 0.1, "{judged} {plain}");
}

#[test]
fn mistakes_are_said_in_words() {
    let root = folder("evaluate-mistakes");
    let reference = mix(&root.join("reference.wav"), SONG, |x, _, _| x);
    let silent = root.join("silent.wav");
    write_with(&silent, SONG, |_, _| 0.0);
    let reference_path = reference.to_str().expect("plain");
    let json = root.join("r.json");
    let with = |arguments: &[&str]| evaluate(&[&["--reference", reference_path], arguments].concat(), &json);
    with(&[]).fails_with("there is no mix");
    with(&["--mix", &named("a", &root.join("absent.wav"))]).fails_with("absent.wav");
    with(&["--mix", &named("a", &silent)]).fails_with("silent in the common part");
    with(&["--mix", &named("a", &reference), "--mix", &named("a", &reference)]).fails_with("two mixes");
    with(&["--mix", &named("raw sum", &reference)]).fails_with("two mixes");
    with(&["--mix", &named("a", &reference), "--focus", "b"]).fails_with("no mix is called \"b\"");
    with(&["--mix", &named("a", &reference), "--baselines", "best"]).fails_with("is not a baseline");
    with(&["--mix", &named("a", &reference), "--stems", root.to_str().expect("plain")])
        .fails_with("holds no stem");
    for option in ["--scramble-gains", "--mono-stems"] {
        with(&["--mix", &named("a", &reference), option])
            .fails_with(&format!("{option} changes stems, and there are none of reference"));
    }
    with(&["--mix", &named("a", &reference), "--html", "nowhere/r.html"]).fails_with("there is no folder");
    evaluate(&[root.join("absent").to_str().expect("plain")], &json).fails_with("cannot list the folder");
    let short = root.join("short.wav");
    write_with(&short, Wav { seconds: 0.4, ..SONG }, music);
    with(&["--mix", &named("a", &short)]).fails_with("in common");
    assert!(!json.exists(), "nothing is written after a mistake");
    for stem in STEMS {
        fs::write(root.join(format!("{stem}.wav")), b"").expect("written");
    }
    with(&["--stems", root.to_str().expect("plain"), "--baselines", "raw"]).fails_with("no stem can be used");
}

#[test]
fn the_published_oddities_change_what_they_say() {
    let root = folder("evaluate-oddities");
    let reference = mix(&root.join("reference.wav"), SONG, |x, _, _| x);
    // Mono: the difference signal is silent, which the published logarithm punishes beyond measure.
    let mono = mix(&root.join("mono.wav"), SONG, |_, time_s, _| 0.5 * (music(time_s, 0) + music(time_s, 1)));
    let arguments = ["--reference", reference.to_str().expect("plain"), "--mix", &named("mono", &mono)];
    let (plain, odd) = (root.join("plain.json"), root.join("odd.json"));
    evaluate(&arguments, &plain).succeeds();
    evaluate(&[&arguments[..], &["--published-oddities"]].concat(), &odd).succeeds();
    let (plain, odd) = (parsed(&plain), parsed(&odd));
    let of = |report: &Value, key: &str| distance(report, "mono", key);
    assert!(
        of(&odd, "loss_a") > 20.0 && of(&plain, "loss_a") < 8.0,
        "{} {}",
        of(&odd, "loss_a"),
        of(&plain, "loss_a")
    );
    assert!((of(&odd, "published_crest") - of(&plain, "published_crest")).abs() > 1e-3);
    assert!((of(&odd, "published_spectral") - of(&plain, "published_spectral")).abs() < 1e-12);
    assert!((of(&plain, "panning_error") - 1.0).abs() < 0.2, "a mono mix has lost all panning");
}

#[test]
fn the_real_songs_rank_as_ears_would() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/real/Dance");
    if !shared.is_dir() {
        eprintln!("SKIPPED: ../shared/real is absent");
        return;
    }
    let json = folder("evaluate-real").join("r.json");
    evaluate(&[shared.to_str().expect("plain"), "--baselines", "raw,static"], &json).succeeds();
    let report = parsed(&json);
    // The published mixes share one offset against the human mix, and so do the stems.
    for name in ["published_equal", "published_fxnorm", "published_megami"] {
        let alignment = &system(&report, 0, name)["alignment"];
        assert_eq!(
            (alignment["lag_frames"].as_i64(), alignment["certain"].as_bool()),
            (Some(69), Some(true)),
            "{name}"
        );
    }
    assert_eq!(report["songs"][0]["stems_alignment"]["lag_frames"], 69);
    // The equal-loudness mix is mono; everything else is nearer in width.
    for name in ["published_fxnorm", "published_megami", "raw sum", "static baseline"] {
        assert!(
            distance(&report, name, "side_db") < distance(&report, "published_equal", "side_db"),
            "{name}"
        );
    }
}

#[test]
fn every_figure_is_defined_in_the_documentation() {
    let text = include_str!("../../docs/evaluation.md");
    for metric in &tributary_cli::evaluation::catalog::CATALOG {
        assert!(
            text.contains(&format!("`{}`", metric.key)),
            "docs/evaluation.md does not define {}",
            metric.key
        );
    }
}
