//! No command destroys what it reads or what it has just written, whatever its outputs are called and wherever they lead;
//! and what cannot be written whole is not written.
#![cfg(unix)]

mod support;

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use support::{Run, STEMS, Wav, folder, song, write};

const SHORT: Wav = Wav { seconds: 0.5, ..Wav::CD };

/// Runs the program in `root` with the words of a line.
fn run(root: &Path, line: &str) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
    command.current_dir(root).args(line.split_whitespace()).env_remove("TRIBUTARY_MODEL");
    command.output().expect("the built program can be run").into()
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo runs").success());
}

/// A folder with one of everything that commands read.
fn world(name: &str) -> PathBuf {
    let root = folder(name);
    song(&root.join("song"), SHORT);
    song(&root.join("set/One"), SHORT);
    song(&root.join("judged/One"), SHORT);
    write(&root.join("judged/One/reference.wav"), 0, Wav { seconds: 2.0, ..Wav::CD });
    for (index, file) in ["x.wav", "human.wav", "room.wav", "moises/s/vocals/v.wav"].iter().enumerate() {
        write(&root.join(file), index, Wav { seconds: 2.0, ..Wav::CD });
    }
    let track = r#"{"stems":[{"stemName":"vocals","tracks":[{"id":"v","trackType":"","extension":"wav"}]}]}"#;
    fs::write(root.join("moises/s/data.json"), track).expect("written");
    let plan = "title = \"T\"\n[[song]]\nname = \"S\"\nlength_s = 1.5\n[song.mixes]\na = \"x.wav\"\n\
                b = { stems = \"song\" }\n";
    fs::write(root.join("plan.toml"), plan).expect("written");
    fs::write(root.join("recipe.json"), "{}").expect("written");
    fs::write(root.join("result.json"), "{}").expect("written");
    fs::write(root.join("table.json"), r#"{"vocals": ["vocals"]}"#).expect("written");
    let targets = tributary_dsp::Targets::default().to_json();
    fs::write(root.join("targets.json"), targets).expect("written");
    fs::create_dir(root.join("deep")).expect("made");
    fs::hard_link(root.join("song/vocals.wav"), root.join("hard.wav")).expect("linked");
    symlink("song/vocals.wav", root.join("soft.wav")).expect("linked");
    symlink("song", root.join("alias")).expect("linked");
    symlink("deep/new.wav", root.join("dangling.wav")).expect("linked");
    root
}

/// Everything below a folder by path: a link with its target, a file with its bytes.
fn snapshot(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("listed") {
            let path = entry.expect("listed").path();
            let kind = fs::symlink_metadata(&path).expect("there");
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_symlink() {
                let target = fs::read_link(&path).expect("read").into_os_string().into_encoded_bytes();
                found.push((path, target));
            } else {
                let bytes = fs::read(&path).expect("read");
                found.push((path, bytes));
            }
        }
    }
    found.sort();
    found
}

/// Every command with outputs that would destroy something, and a part of the sentence that refuses it.
const REFUSED: [(&str, &str); 57] = [
    ("mix song --model sum -o song/vocals.wav", "it is read by this command"),
    ("mix song --model sum -o alias/vocals.wav", "song/vocals.wav is read by this command"),
    ("mix song --model sum -o deep/../song/vocals.wav", "is read by this command"),
    ("mix song --model sum -o hard.wav", "song/vocals.wav is read by this command"),
    ("mix song --model sum -o soft.wav", "song/vocals.wav is read by this command"),
    ("mix --vocals x.wav --model sum -o x.wav", "is read by this command"),
    ("mix song --model sum -o new.wav --json song/drums.wav", "is read by this command"),
    ("mix song --model sum -o new.wav --json new.wav", "new.wav is the same file"),
    ("mix song --model sum -o new.wav --json deep/../NEW.wav", "is the same file"),
    ("mix song --model sum -o dangling.wav --json deep/new.wav", "deep/new.wav is the same file"),
    ("mix song --model sum -o song/mix.wav", "it would be read as the human mix"),
    ("mix --vocals x.wav --model sum -o song/Mixture.WAV", "it would be read as the human mix"),
    ("mix song --model sum -o song/bass.wave", "it would be read as a second file of a stem"),
    ("mix song --model sum -o new.ogg", "has to end in .wav or .flac"),
    ("mix song --model sum -o new.flac --bits 32f", "FLAC holds whole numbers"),
    ("mix song --model sum -o new", "its name has to end in .wav"),
    ("mix song --model sum -o - --json -", "- is the same file"),
    ("mix song --model sum -o new.wav --targets targets.json --json targets.json", "is read by this command"),
    ("mix song --model sum -o new.wav --recipe recipe.json --json recipe.json", "is read by this command"),
    ("mix song --model sum -o room.wav --reverb 0.5 --reverb-rooms room.wav", "is read by this command"),
    ("mix song --model MODEL -o new.wav --json MODEL/contract.json", "it lies in MODEL, which is read"),
    ("mix song --model MODEL -o MODEL/new.wav", "it lies in MODEL, which is read"),
    ("profile song -o song/bass.wav", "is read by this command"),
    ("profile song -o new.json --picture song/bass.wav", "is read by this command"),
    ("profile song -o new.json --picture new.json", "is the same file"),
    ("profile song -o recipe.json --recipe recipe.json", "is read by this command"),
    ("evaluate --reference human.wav --mix m=x.wav --html x.wav", "is read by this command"),
    ("evaluate --reference human.wav --mix m=x.wav --json human.wav", "is read by this command"),
    ("evaluate --reference human.wav --stems song --csv song/other.wav", "is read by this command"),
    ("evaluate --reference human.wav --mix m=x.wav --csv new --html new", "is the same file"),
    ("evaluate judged --json judged/One/reference.wav", "is read by this command"),
    ("evaluate judged --html judged/One/vocals.wav", "is read by this command"),
    ("explain song x.wav --json x.wav", "is read by this command"),
    ("explain song x.wav --json song/drums.wav", "is read by this command"),
    ("stems song -o song/vocals.wav", "is read by this command"),
    ("listen build plan.toml -o plan.toml", "is read by this command"),
    ("listen build plan.toml -o x.wav", "is read by this command"),
    ("listen build plan.toml -o song/page.html", "it lies in song, which is read"),
    ("listen analyze result.json -o result.json", "is read by this command"),
    ("listen analyze result.json -o new.html --csv result.json", "is read by this command"),
    ("listen analyze result.json -o new.html --csv new.html", "is the same file"),
    ("listen analyze result.json -o new.html --json nowhere/new.json", "there is no folder nowhere"),
    ("targets show targets.json -o targets.json", "is read by this command"),
    ("analyze set -o set/One/vocals.wav", "is read by this command"),
    ("analyze moises -o moises/s/data.json", "is read by this command"),
    ("analyze set -o new.json --records set", "must lie outside of"),
    ("analyze set -o new.json --records new.json", "it lies in the output folder"),
    ("analyze set -o table.json --instruments table.json", "is read by this command"),
    ("normalize set -o set", "must lie outside of"),
    ("normalize set -o set/out", "must lie outside of"),
    ("normalize set -o .", "must lie outside of"),
    ("mix song --model sum -o deep", "it is a folder"),
    ("mix song --model sum -o nowhere/new.wav", "there is no folder nowhere"),
    ("mix song --model sum -o x.wav/new.wav", "there is no folder x.wav"),
    ("mix song --model sum -o new.wav --json read-only.json", "it is write-protected"),
    ("mix song --model sum -o LONG.wav", "cannot be written"),
    ("profile song -o new.json --picture nowhere/new.svg", "there is no folder nowhere"),
];

#[test]
fn an_output_that_would_destroy_something_is_refused_before_any_work() {
    let root = world("outputs-refused");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models/default");
    fs::create_dir(root.join("MODEL")).expect("made");
    for entry in fs::read_dir(model).expect("the default model is there").flatten() {
        fs::copy(entry.path(), root.join("MODEL").join(entry.file_name())).expect("copied");
    }
    fs::write(root.join("read-only.json"), "kept").expect("written");
    fs::set_permissions(root.join("read-only.json"), fs::Permissions::from_mode(0o444)).expect("set");
    let before = snapshot(&root);
    for (line, sentence) in REFUSED {
        let result = run(&root, &line.replace("LONG", &"n".repeat(300))).fails_with(sentence);
        assert!(result.out.is_empty(), "{line}: {}", result.out);
        assert!(before == snapshot(&root), "{line}: something has changed");
    }
}

/// What only prints.
const WRITES_NOTHING: [&str; 3] = ["completions", "man", "help"];

#[test]
fn no_command_that_writes_is_missing_above() {
    let help = Run::from(Command::new(env!("CARGO_BIN_EXE_tributary")).arg("--help").output().expect("runs"));
    // Commands stand in groups, indented by two, each before what it does.
    let indented = help.out.lines().filter_map(|line| line.strip_prefix("  "));
    let names = indented.take_while(|line| !line.starts_with('-')).filter_map(|line| line.split(' ').next());
    let commands: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
    assert!(commands.contains(&"mix") && commands.contains(&"man"), "{commands:?}");
    for command in commands.into_iter().filter(|command| !WRITES_NOTHING.contains(command)) {
        let is_tried = REFUSED.iter().any(|(line, _)| line.split(' ').next() == Some(command));
        assert!(is_tried, "{command} writes: say above what it must not");
    }
}

#[test]
fn settings_in_the_folder_of_a_set_survive_it() {
    let root = world("outputs-settings");
    fs::create_dir_all(root.join("out/One")).expect("made");
    for place in ["out/report.json", "out/One/targets.json"] {
        fs::copy(root.join("targets.json"), root.join(place)).expect("copied");
        run(&root, &format!("normalize set -o out --targets {place}")).fails_with("out");
        let same =
            fs::read(root.join(place)).expect("there") == fs::read(root.join("targets.json")).expect("there");
        assert!(same, "{place}");
    }
    fs::remove_dir_all(root.join("out")).expect("removed");
    fs::create_dir(root.join("out")).expect("made");
    fs::rename(root.join("targets.json"), root.join("out/targets.json")).expect("moved");
    run(&root, "normalize set -o out --targets out/targets.json").succeeds();
    assert!(root.join("out/targets.json").is_file());
}

#[test]
fn what_is_no_file_is_written_to_or_refused_and_never_replaced() {
    let root = world("outputs-streams");
    make_fifo(&root.join("pipe"));
    symlink("circle.wav", root.join("circle.wav")).expect("linked");
    run(&root, "mix song --model sum -o circle.wav").fails_with("circle.wav cannot be written");
    let _socket = UnixListener::bind(root.join("socket")).expect("bound");
    run(&root, "mix song --model sum -o socket").fails_with("it is no ordinary file");
    run(&root, "mix song --model sum -o new.wav --json socket").fails_with("it is no ordinary file");

    let pipe = root.join("pipe");
    let reader = || {
        let pipe = pipe.clone();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            fs::File::open(pipe).and_then(|mut pipe| pipe.read_to_end(&mut bytes)).expect("read");
            bytes
        })
    };
    let reading = reader();
    run(&root, "mix song --model sum -o new.wav --json pipe").succeeds();
    let report: serde_json::Value = serde_json::from_slice(&reading.join().expect("read")).expect("JSON");
    assert_eq!(report["frames"], 22_050);
    let mix = fs::read(root.join("new.wav")).expect("there");
    let reading = reader();
    run(&root, "mix song --model sum -o pipe").succeeds();
    assert!(reading.join().expect("read") == mix, "a pipe gets what a file gets");
    run(&root, "mix song --model sum -o /dev/null").succeeds();
    for place in ["pipe", "socket"] {
        assert!(!fs::metadata(root.join(place)).expect("there").is_file(), "{place} was replaced");
    }

    let out = run(&root, "mix song --model sum -o new.wav --json /dev/stdout").succeeds().out;
    assert!(out.contains("\"mix_lufs\"") && out.contains("real-time factor"), "{out}");
    run(&root, "mix song --model sum -o new.wav --json /dev/null").succeeds();
    run(&root, "profile song -o /dev/null").succeeds();
    // Standard output gets the mix and nothing else.
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
    command.current_dir(&root).args(["mix", "song", "--model", "sum", "-o", "-"]);
    let piped = command.output().expect("the built program can be run");
    assert!(piped.status.success() && piped.stdout == mix);
    assert!(String::from_utf8_lossy(&piped.stderr).contains("real-time factor"));
    // A disk that is full to the last byte.
    run(&root, "mix song --model sum -o new.wav --json /dev/full").fails_with("/dev/full: cannot be written");
    assert!(fs::metadata("/dev/null").is_ok_and(|null| !null.is_file()));
}

#[test]
fn a_link_stays_and_its_target_is_written() {
    let root = world("outputs-links");
    fs::write(root.join("deep/old.wav"), "old").expect("written");
    fs::set_permissions(root.join("deep/old.wav"), fs::Permissions::from_mode(0o600)).expect("set");
    symlink("deep/old.wav", root.join("link.wav")).expect("linked");
    symlink("link.wav", root.join("second.wav")).expect("linked");
    for (link, target) in [("second.wav", "deep/old.wav"), ("dangling.wav", "deep/new.wav")] {
        run(&root, &format!("mix song --model sum -o {link}")).succeeds();
        assert!(fs::symlink_metadata(root.join(link)).expect("there").is_symlink(), "{link}");
        assert_eq!(support::read(&root.join(target)).1.len(), 22_050, "{target}");
    }
    let mode = fs::metadata(root.join("deep/old.wav")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "what was private stays private");
    // Another name of the same bytes that nobody reads keeps its bytes.
    fs::write(root.join("kept"), "kept").expect("written");
    fs::hard_link(root.join("kept"), root.join("replaced.wav")).expect("linked");
    run(&root, "mix song --model sum -o replaced.wav").succeeds();
    assert_eq!(fs::read(root.join("kept")).expect("there"), b"kept");
}

#[test]
fn normalize_never_ties_its_results_to_the_data_set() {
    let root = folder("outputs-mixture");
    let source = root.join("set/One/mixture.wav");
    song(&root.join("set/One"), SHORT);
    write(&source, 0, Wav { seconds: 0.5, ..Wav::FLOAT });
    let original = fs::read(&source).expect("there");
    run(&root, "normalize set -o out").succeeds();
    let copy = root.join("out/One/mixture.wav");
    assert_ne!(fs::metadata(&copy).expect("there").ino(), fs::metadata(&source).expect("there").ino());
    fs::OpenOptions::new().write(true).open(&copy).and_then(|file| file.set_len(10)).expect("cut in place");
    assert!(fs::read(&source).expect("there") == original, "the data set has changed");

    run(&root, "normalize set -o linked --link-mixtures").succeeds();
    let link = fs::read_link(root.join("linked/One/mixture.wav")).expect("a symbolic link");
    assert_eq!(link, source.canonicalize().expect("there"));
}

/// Files of a folder by name, temporary ones included.
fn names(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root).expect("listed").map(|entry| entry.expect("listed").file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_limit_on_the_size_of_files_is_a_sentence_and_leaves_nothing() {
    let root = folder("outputs-limit");
    song(&root.join("song"), Wav { seconds: 10.0, ..Wav::CD });
    song(&root.join("set/One"), Wav { seconds: 10.0, ..Wav::CD });
    for line in [
        "mix song --model sum -o new.wav --profile adaptive",
        "mix song --model sum -o new.wav",
        "profile song -o new.json",
        "normalize set -o out",
    ] {
        // In KiB: what a temporary stem or the mix needs is more.
        let script = format!("ulimit -f 600; exec '{}' {line}", env!("CARGO_BIN_EXE_tributary"));
        let mut bash = Command::new("bash");
        let limited: Run = bash.current_dir(&root).args(["-c", &script]).output().expect("bash runs").into();
        // A disk that is full says nothing about the song: the next run tries it again.
        limited.fails_with(if line.contains("normalize") {
            "1 of 1 songs failed"
        } else {
            "cannot be written"
        });
        assert!(!root.join("new.wav").exists() && !root.join("new.json").exists());
        assert!(names(&root).iter().all(|name| !name.ends_with(".part")), "{:?}", names(&root));
    }
    assert_eq!(names(&root.join("out")), [".tributary", "report.json"]);
}

#[test]
fn what_a_killed_run_left_is_no_result_and_goes_with_the_next_run() {
    let root = folder("outputs-killed");
    song(&root.join("song"), Wav { seconds: 60.0, ..Wav::CD });
    let line = "mix song --model sum -o new.wav --profile adaptive";
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
    command.current_dir(&root).args(line.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the built program can be run");
    let left =
        || names(&root).into_iter().find(|name| name.starts_with(".new.wav.") && name.ends_with(".part"));
    // Before any work an empty file is made and removed, to see whether it can be.
    let has_begun = |name: String| fs::metadata(root.join(name)).is_ok_and(|file| file.len() > 0);
    while !left().is_some_and(has_begun) {
        assert!(child.try_wait().expect("waited for").is_none(), "the program ended before it was killed");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("killed");
    child.wait().expect("waited for");
    assert!(!root.join("new.wav").exists());
    let part = root.join(left().expect("the half-written file"));
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    fs::OpenOptions::new().write(true).open(&part).and_then(|file| file.set_modified(hour_ago)).expect("set");
    // Files of other owners stay: one that is locked, one that only looks alike.
    let alike = root.join(".new.wav.backup.part");
    fs::write(&alike, "kept").expect("written");
    song(&root.join("song"), SHORT);
    run(&root, line).succeeds();
    assert_eq!(names(&root), [".new.wav.backup.part", "new.wav", "song"]);
    assert_eq!(fs::read_dir(root.join("song")).expect("listed").count(), STEMS.len());
}
