//! `tributary listen` as a user runs it: what is in a page, and what becomes of good, bad and hostile results.
//! The page in a browser is tested in `listen_browser.rs`.

mod support;

use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::page::{Page, simulated};
use support::{Run, Wav, folder, tributary, write_with};

fn text(path: &Path) -> String {
    path.to_str().expect("plain").to_owned()
}

fn build(plan: &Path, page: &Path) -> Run {
    tributary(&["listen", "build", &text(plan), "-o", &text(page)])
}

fn analyze(files: &[PathBuf], more: &[String]) -> Run {
    let mut arguments = vec!["listen".to_owned(), "analyze".into()];
    arguments.extend(files.iter().map(|file| text(file)));
    arguments.extend_from_slice(more);
    tributary(&arguments)
}

/// A plan of one song with these mixes.
fn plan(root: &Path, more: &str, mixes: &str) -> PathBuf {
    let path = root.join("test.toml");
    let plan = format!("title = \"Test\"\n{more}\n[[song]]\nname = \"Song\"\n[song.mixes]\n{mixes}\n");
    fs::write(&path, plan).expect("written");
    path
}

#[test]
fn mixes_of_any_level_and_rate_are_equally_loud_in_the_page() {
    let root = folder("listen-loudness");
    let tone = |gain: f64| move |t: f64, c: u16| gain * (TAU * (300.0 + 40.0 * f64::from(c)) * t).sin();
    write_with(&root.join("loud.wav"), Wav { seconds: 4.0, ..Wav::CD }, tone(0.9));
    write_with(&root.join("soft.wav"), Wav { seconds: 4.0, rate_hz: 48_000, ..Wav::FLOAT }, tone(0.003));
    let path = plan(&root, "", "a = \"loud.wav\"\nb = \"soft.wav\"");
    let page = root.join("test.html");
    build(&path, &page).succeeds().notes("4 s long");
    let page = Page::read(&page);
    for index in 0..2 {
        let (lufs, _) = page.loudness(index, &root);
        assert!((lufs + 23.0).abs() < 0.1, "mix {index}: {lufs}");
    }
    assert_eq!(page.audio(0, &root).frames(), page.audio(1, &root).frames());
}

#[test]
fn a_song_that_would_peak_too_high_is_lowered_as_a_whole() {
    let root = folder("listen-peaks");
    // Rare clicks: a peak far above the loudness.
    write_with(&root.join("clicks.wav"), Wav { seconds: 4.0, ..Wav::FLOAT }, |t, _| {
        let since = t % 0.35;
        0.9 * (-since * 3000.0).exp() * (TAU * 900.0 * since).sin()
    });
    write_with(&root.join("tone.wav"), Wav { seconds: 4.0, ..Wav::CD }, |t, _| 0.2 * (TAU * 300.0 * t).sin());
    let path = plan(&root, "loudness_lufs = -16.0", "a = \"clicks.wav\"\nb = \"tone.wav\"");
    let page = root.join("test.html");
    build(&path, &page).succeeds().notes("would peak too high");
    let page = Page::read(&page);
    let [(a, peak), (b, _)] = [0, 1].map(|index| page.loudness(index, &root));
    assert!(peak < -0.9 && peak > -1.4, "{peak}");
    assert!((a - b).abs() < 0.15 && a < -16.5, "{a} {b}");
}

#[test]
fn the_page_is_closed_to_the_outside_and_knows_no_names() {
    let root = folder("listen-policy");
    write_with(&root.join("a.wav"), Wav { seconds: 2.0, ..Wav::CD }, |t, _| 0.2 * (TAU * 300.0 * t).sin());
    let mixes = "\"secret system\" = \"a.wav\"\n\"</script><b>\" = \"a.wav\"";
    let path = plan(&root, "post_url = \"https://example.org/results?x=1\"", mixes);
    let page = root.join("test.html");
    build(&path, &page).succeeds();
    let page = Page::read(&page);
    let policy = page.html.split("Content-Security-Policy\" content=\"").nth(1).expect("a policy");
    let policy = policy.split('"').next().expect("its end");
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.contains("connect-src https://example.org;"), "the origin only: {policy}");
    for (element, directive) in [("<script type=\"module\">", "script-src"), ("<style>", "style-src")] {
        let inside = page.html.split(element).nth(1).expect("there").split("</").next().expect("its end");
        let hash = support::page::sha256_base64(inside.as_bytes());
        assert!(policy.contains(&format!("{directive} 'sha256-{hash}'")), "{directive}: {policy}");
    }
    assert!(!page.html.contains("secret system") && !page.html.contains("</script><b>"));
    assert!(!page.html.contains(" src=") && !page.html.contains(" href="), "nothing is fetched");
}

#[test]
fn what_cannot_be_built_is_said_in_a_sentence() {
    let root = folder("listen-errors");
    write_with(&root.join("a.wav"), Wav { seconds: 2.0, ..Wav::CD }, |t, _| 0.2 * (TAU * 300.0 * t).sin());
    write_with(&root.join("silent.wav"), Wav { seconds: 2.0, ..Wav::CD }, |_, _| 0.0);
    let page = root.join("test.html");
    for (more, mixes, sentence) in [
        ("", "a = \"a.wav\"\nb = \"absent.wav\"", "absent.wav"),
        ("", "a = \"a.wav\"\nb = \"silent.wav\"", "silent"),
        ("", "a = \"a.wav\"", "there are 1"),
        ("colour = 1", "a = \"a.wav\"\nb = \"a.wav\"", "unknown field"),
    ] {
        build(&plan(&root, more, mixes), &page).fails_with(sentence);
    }
    let path = plan(&root, "", "a = \"a.wav\"\nb = \"a.wav\"");
    let late =
        fs::read_to_string(&path).expect("there").replace("[song.mixes]", "start_s = 1.5\n[song.mixes]");
    fs::write(&path, late).expect("written");
    build(&path, &page).fails_with("reach to 2.0 s");
    build(&root.join("none.toml"), &page).fails_with("none.toml cannot be read");
    assert!(!page.exists());
}

#[test]
fn the_example_in_the_repository_can_be_built_and_analyzed() {
    let root = folder("listen-example");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/demo/listening-test.toml");
    let html = root.join("test.html");
    let run = build(&example, &html).succeeds();
    assert!(run.out.contains("1 songs × 3 attributes"), "{}", run.out);
    let page = Page::read(&html);
    let mut files = Vec::new();
    for listener in 0..10 {
        files.push(root.join(format!("{listener}.json")));
        fs::write(&files[listener], simulated(&page, listener).to_string()).expect("written");
    }
    let mut hostile = |name: &str, content: String| {
        files.push(root.join(name));
        fs::write(root.join(name), content).expect("written");
    };
    let mut other = simulated(&page, 20);
    other["test"]["id"] = json!("ffff");
    hostile("other.json", other.to_string());
    hostile("double.json", simulated(&page, 3).to_string());
    hostile("broken.json", "{\"format\": \"tributary-listen\", ".into());
    hostile("deep.json", "[".repeat(1_000_000));
    let mut wild = simulated(&page, 21);
    wild["pages"][0]["ratings"]["m0"] = json!(1e9);
    hostile("wild.json", wild.to_string());
    let mut unfinished = simulated(&page, 22);
    unfinished["pages"][1]["ratings"] = json!({});
    hostile("unfinished.json", unfinished.to_string());
    fs::create_dir(root.join("folder.json")).expect("made");
    files.push(root.join("folder.json"));

    let outputs = ["report.html", "ratings.csv", "analysis.json"].map(|name| root.join(name));
    let more = ["-o", &text(&outputs[0]), "--csv", &text(&outputs[1]), "--json", &text(&outputs[2])]
        .map(str::to_owned);
    let run = analyze(&files, &more).succeeds();
    assert!(run.out.contains("10 of 11 listeners count"), "{}\n{}", run.out, run.err);
    let run = run
        .notes("other.json belongs to another test (ffff)")
        .notes("double.json is a second result of listener 3, after 3.json")
        .notes("broken.json is not a result")
        .notes("deep.json is not a result")
        .notes(
            "wild.json holds something that the page never writes: page 1 has a rating outside of 0 to 100",
        )
        .notes("folder.json cannot be read")
        .notes("listener 22 is excluded: incomplete: 3 of 4 pages are rated");
    assert!(!run.err.contains("panicked"));
    let csv = fs::read_to_string(&outputs[1]).expect("there");
    assert_eq!(csv.lines().count(), 1 + 10 * 4 * 4 + 3 * 4, "excluded listeners are in it, marked");
    let analysis: Value =
        serde_json::from_str(&fs::read_to_string(&outputs[2]).expect("there")).expect("JSON");
    assert_eq!(analysis["attributes"][0]["systems"][0]["name"], "plain sum");
    assert!(analysis["attributes"][0]["kruskal_wallis"]["p"].as_f64().expect("a number") < 0.01);
    let report = fs::read_to_string(&outputs[0]).expect("there");
    assert!(report.contains("plain sum is rated above drums loud") && !report.contains("NaN"), "{report}");
}

#[test]
fn without_a_usable_result_there_is_no_report() {
    let root = folder("listen-no-results");
    let file = root.join("x.json");
    fs::write(&file, "{}").expect("written");
    let report = root.join("report.html");
    let output = ["-o".to_owned(), text(&report)];
    analyze(std::slice::from_ref(&file), &output).fails_with("no result can be used; x.json is not a result");
    analyze(&[file], &[output.to_vec(), vec!["--level".into(), "2".into()]].concat())
        .fails_with("--level is 2");
    assert!(!report.exists());
}
