//! Learning as a user does it, through the shell: learn, save, restore in another instance, forget. In a process of its
//! own, because the model is chosen by an environment variable.

#![allow(unsafe_code)] // The framework's buffers can only be filled through its unsafe setter, variables set likewise.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::time::{Duration, Instant};

use nice_plug::prelude::*;
use serde_json::Value;
use support::{Host, activate_offline as activate, copies, play, play_in, song, stage_sum, transfer};
use tributary::Tributary;
use tributary::editor::{LearningAction, LearningCopy};
use tributary_dsp::{Recipe, Stem, StereoBuffer, Targets, normalize_stem};
use tributary_engine::LatencyMode;

const RATE_HZ: f32 = 44_100.0;

fn press(plugin: &Tributary, action: LearningAction) {
    let engines = plugin.engines();
    match action {
        LearningAction::Learn => engines.learn(),
        LearningAction::Analyze => engines.analyze(),
        LearningAction::Cancel => engines.cancel_learning(),
        LearningAction::Forget => engines.forget(),
    }
}

fn wait_for(plugin: &Tributary, wanted: impl Fn(&LearningCopy) -> bool) -> LearningCopy {
    let started = Instant::now();
    loop {
        let copy = copies(plugin).learning;
        if wanted(&copy) {
            return copy;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{copy:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn learned_text(plugin: &Tributary) -> String {
    plugin.params().serialize_fields()["learned"].clone()
}

/// How often the host had to be told that the project has changed.
fn changes(plugin: &Tributary) -> u64 {
    plugin.engines().host().changes()
}

/// A restart would end the learning, so the host is not asked for one; afterwards it is, whatever came of it.
fn another_mode_waits_for_a_song_that_is_learned(plugin: &mut Tributary, song: &[StereoBuffer; 4]) {
    let mut host = Host::default();
    for (restarts, action) in [(1, LearningAction::Cancel), (2, LearningAction::Analyze)] {
        press(plugin, LearningAction::Learn);
        let before = changes(plugin);
        plugin.engines().choose_latency(LatencyMode::Low);
        assert_eq!(changes(plugin), before + 1);
        play_in(&mut host, plugin, song);
        assert_eq!(host.restarts.get(), restarts - 1, "while it listens");
        let latency = copies(plugin).latency;
        assert!(latency.pending && latency.held);
        press(plugin, action);
        wait_for(plugin, |copy| matches!(copy, LearningCopy::Learned { .. }));
        let start = Instant::now();
        while host.restarts.get() < restarts {
            assert!(start.elapsed() < Duration::from_secs(20), "never asked for a restart");
            play_in(&mut host, plugin, song);
        }
        assert!(!copies(plugin).latency.held);
        plugin.engines().choose_latency(LatencyMode::Standard);
        play_in(&mut host, plugin, song);
        assert_eq!(host.restarts.get(), restarts, "once");
    }
}

/// Back to an earlier profile, as the host loads a state: no change of the project.
fn learned_is_restored(plugin: &mut Tributary, saved: &str) {
    let before = changes(plugin);
    let mut fields = plugin.params().serialize_fields();
    fields.insert("learned".into(), saved.into());
    plugin.params().deserialize_fields(&fields);
    assert_eq!((learned_text(plugin).as_str(), changes(plugin)), (saved, before));
}

/// What was learned goes into a file and comes back from it, which can be undone; other files change nothing.
fn learned_goes_through_a_file(plugin: &Tributary, folder: &std::path::Path) {
    let (engines, before) = (plugin.engines(), learned_text(plugin));
    let [path, foreign, damaged] = ["a.json", "b.json", "c.json"].map(|name| folder.join(name));
    engines.save_learned(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    document["learned"]["normalization_sha256"] = Value::String("0".repeat(64));
    std::fs::write(&foreign, document.to_string()).unwrap();
    std::fs::write(&damaged, &text[..text.len() / 2]).unwrap();
    for (path, said) in [(&foreign, "normalizes otherwise"), (&damaged, "is no learned profile")] {
        let error = engines.load_learned(path).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert_eq!(learned_text(plugin), before, "what was in force stays in force");
    }
    // The same among the user's own files, under a name.
    engines.keep_learned();
    let shown = copies(plugin);
    assert_eq!(shown.learned_files, ["Song of 0 min 05 s"], "{:?}", shown.notices);
    assert!(shown.notices.iter().any(|notice| notice.contains("is kept as “Song of 0 min 05 s”")));
    press(plugin, LearningAction::Forget);
    engines.fetch_learned("Song of 0 min 05 s");
    assert_eq!(learned_text(plugin), before);
    engines.fetch_learned("no such song");
    assert!(copies(plugin).notices.iter().any(|notice| notice.contains("cannot be read")));
    engines.fetch_learned("../elsewhere");
    press(plugin, LearningAction::Forget);
    assert!(engines.save_learned(&path).unwrap_err().to_string().contains("Nothing has been learned"));
    engines.load_learned(&path).unwrap();
    assert_eq!(learned_text(plugin), before);
    assert_eq!(engines.steps()[0].as_deref(), Some("Load profile"));
    engines.undo();
    assert!(is_adaptive(&copies(plugin).learning));
    engines.load_learned(&path).unwrap();
}

fn is_adaptive(copy: &LearningCopy) -> bool {
    matches!(copy, LearningCopy::Adaptive { message: None })
}

#[test]
fn learn_save_restore_forget() {
    let folder = std::env::temp_dir().join(format!("tributary-shell-learning-{}", std::process::id()));
    // Every effect at full amount.
    stage_sum(&folder, |contract| contract["recipe"] = serde_json::to_value(Recipe::default()).unwrap());
    // SAFETY: this process has one test, and no other thread reads the environment yet.
    unsafe {
        std::env::set_var("TRIBUTARY_MODEL", &folder);
        std::env::set_var("XDG_DATA_HOME", folder.join("of user"));
    }
    let targets = Targets::from_json(&std::fs::read_to_string(folder.join("targets.json")).unwrap()).unwrap();
    let song = song();
    let mut wanted = vec![0.0; song[0].frames()];
    for stem in Stem::ALL {
        let (normalized, _) =
            normalize_stem(stem, &song[stem.index()], &Recipe::default(), &targets, f64::from(RATE_HZ))
                .unwrap();
        wanted.iter_mut().zip(normalized.left).for_each(|(sum, sample)| *sum += sample);
    }
    let distance = |live: &[f32], plugin: &Tributary| {
        let latency = copies(plugin).latency.total_samples;
        live[latency..].iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };

    let mut plugin = Tributary::default();
    press(&plugin, LearningAction::Learn);
    assert_eq!(copies(&plugin).learning, LearningCopy::Unavailable, "not active yet");
    activate(&mut plugin);
    press(&plugin, LearningAction::Learn);
    let adaptive = play(&mut plugin, &song);
    assert!(distance(&adaptive, &plugin) > 1e-2, "adapting is something else");
    let heard = wait_for(&plugin, |copy| {
        matches!(copy, LearningCopy::Listening { heard: [true, true, true, true], .. })
    });
    let LearningCopy::Listening { so_far, .. } = heard else { unreachable!() };
    assert!(Stem::ALL.iter().all(|stem| so_far.contains(&format!("{stem} −"))), "{so_far}");
    press(&plugin, LearningAction::Analyze);
    wait_for(&plugin, |copy| matches!(copy, LearningCopy::Learned { stems: [true, true, true, true], .. }));
    plugin.reset();
    let learned = play(&mut plugin, &song);
    assert!(distance(&learned, &plugin) <= 1e-4, "{}", distance(&learned, &plugin));

    let saved = learned_text(&plugin);
    assert_eq!(changes(&plugin), 1, "the project has changed, once");
    assert_eq!(copies(&plugin).toolbar.steps, [Some("Learn".into()), None]);
    another_mode_waits_for_a_song_that_is_learned(&mut plugin, &song);
    learned_is_restored(&mut plugin, &saved);
    learned_goes_through_a_file(&plugin, &folder);

    // Deactivated and activated again; in another instance before and after activation.
    plugin.deactivate();
    activate(&mut plugin);
    assert!(learned == play(&mut plugin, &song));
    let mut other = Tributary::default();
    transfer(&plugin, &other, "");
    activate(&mut other);
    assert!(distance(&play(&mut other, &song), &other) <= 1e-4);
    let mut third = Tributary::default();
    activate(&mut third);
    transfer(&other, &third, "");
    third.reset();
    assert!(distance(&play(&mut third, &song), &third) <= 1e-4);

    // Forgotten, or replaced by a project that has learned nothing or is older than learning.
    press(&plugin, LearningAction::Forget);
    assert!(is_adaptive(&copies(&plugin).learning));
    assert_eq!(learned_text(&plugin), "null");
    assert_eq!(plugin.engines().undo(), Default::default(), "no parameter is to be set");
    assert_eq!(learned_text(&plugin), saved, "forgetting can be undone");
    plugin.reset();
    assert!(learned == play(&mut plugin, &song));
    plugin.engines().redo();
    assert_eq!(learned_text(&plugin), "null");
    plugin.reset();
    assert!(adaptive == play(&mut plugin, &song));
    transfer(&plugin, &other, "");
    assert!(is_adaptive(&copies(&other).learning));
    transfer(&plugin, &third, "learned");
    assert!(is_adaptive(&copies(&third).learning));

    // A profile of another model waits for it, and is said.
    let mut foreign: Value = serde_json::from_str(&saved).unwrap();
    foreign["learned"]["normalization_sha256"] = Value::String("0".repeat(64));
    let mut fields = plugin.params().serialize_fields();
    fields.insert("learned".into(), foreign.to_string());
    plugin.params().deserialize_fields(&fields);
    assert!(is_adaptive(&copies(&plugin).learning));
    assert!(copies(&plugin).notices.iter().any(|notice| notice.contains("normalizes otherwise")));
    assert_eq!(learned_text(&plugin), foreign.to_string());
    std::fs::remove_dir_all(folder).unwrap();
}
