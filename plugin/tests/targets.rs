//! Other targets while the plug-in plays, through the shell: they fade in, come back with the project, are undone, and are
//! missed when their file is gone until it returns. In a process of its own, because files are found through the
//! environment.

#![allow(unsafe_code)] // The framework's buffers can only be filled through its unsafe setter, variables set likewise.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::time::{Duration, Instant};

use nice_plug::prelude::Plugin;
use serde_json::json;
use support::{Host, activate_offline as activate, copies, play, play_in, song, stage_sum, transfer};
use tributary::Tributary;
use tributary::targets::TargetsChoice;
use tributary_dsp::{StereoBuffer, Targets};

fn choose(plugin: &Tributary, name: &str) {
    plugin.engines().choose_targets(TargetsChoice::new(name).unwrap());
}

fn chosen(plugin: &Tributary) -> String {
    copies(plugin).toolbar.targets.choice
}

/// Plays until nothing is coming in any more.
fn play_on(host: &mut Host, plugin: &mut Tributary, song: &[StereoBuffer; 4]) {
    let started = Instant::now();
    while copies(plugin).model.changing {
        play_in(host, plugin, song);
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", copies(plugin).notices);
    }
}

#[test]
fn choose_targets_while_it_plays() {
    let root = std::env::temp_dir().join(format!("tributary-shell-targets-{}", std::process::id()));
    let folder = root.join("tributary/targets");
    std::fs::create_dir_all(&folder).unwrap();
    stage_sum(&root.join("model"), |contract| {
        contract["recipe"]["loudness"]["amount"] = json!(1.0);
    });
    let mut quiet = Targets { name: "Quiet song".into(), songs: 1, ..Targets::default() };
    let stems = &mut quiet.stems;
    for stem in [&mut stems.vocals, &mut stems.bass, &mut stems.drums, &mut stems.other] {
        stem.loudness_lufs -= 9.0;
    }
    std::fs::write(folder.join("quiet.json"), quiet.to_json()).unwrap();
    std::fs::write(folder.join("broken.json"), "{}").unwrap();
    // SAFETY: this process has one test, and no other thread reads the environment yet.
    unsafe {
        std::env::set_var("TRIBUTARY_MODEL", root.join("model"));
        std::env::set_var("XDG_DATA_HOME", &root);
    }
    let (song, mut host) = (song(), Host::default());

    // Without an activation a choice is just noted.
    let mut fresh = Tributary::default();
    choose(&fresh, "quiet");
    let latency = activate(&mut fresh);
    let wanted = play(&mut fresh, &song);

    let mut plugin = Tributary::default();
    assert_eq!(activate(&mut plugin), latency);
    assert_eq!(copies(&plugin).toolbar.targets.choices, ["model", "broken", "quiet"]);
    let first = play(&mut plugin, &song);
    assert!(first != wanted);
    choose(&plugin, "quiet");
    plugin.reset();
    assert!(play_in(&mut host, &mut plugin, &song) == first, "they listen before they fade in");
    play_on(&mut host, &mut plugin, &song);
    assert_eq!(copies(&plugin).toolbar.targets.name, "Quiet song, one song", "it is said whose they are");
    assert_eq!((host.restarts.get(), plugin.engines().host().changes()), (0, 1));
    plugin.reset();
    assert!(play(&mut plugin, &song) == wanted, "as if they had been there from the start");

    choose(&plugin, "broken");
    play_on(&mut host, &mut plugin, &song);
    assert_eq!(chosen(&plugin), "quiet");
    assert!(copies(&plugin).notices.iter().any(|notice| notice.contains("“broken” cannot be used")));
    assert_eq!(copies(&plugin).toolbar.steps[0].as_deref(), Some("Targets quiet"), "no step is left of it");
    plugin.engines().undo();
    play_on(&mut host, &mut plugin, &song);
    plugin.reset();
    assert!(play(&mut plugin, &song) == first);
    plugin.engines().redo();
    play_on(&mut host, &mut plugin, &song);

    // Saved by its name; on a machine that lacks the file it is missed, until the file is there.
    std::fs::rename(folder.join("quiet.json"), folder.join("away")).unwrap();
    let mut other = Tributary::default();
    transfer(&plugin, &other, "");
    activate(&mut other);
    assert!(play(&mut other, &song) == first, "the model's own meanwhile");
    assert!(copies(&other).notices.iter().any(|notice| notice.contains("“quiet” were not found")));
    assert_eq!(chosen(&other), "quiet", "what the project chose is kept");
    other.engines().look_again();
    assert!(!copies(&other).model.changing);
    std::fs::rename(folder.join("away"), folder.join("quiet.json")).unwrap();
    other.engines().look_again();
    play_on(&mut host, &mut other, &song);
    other.reset();
    assert!(play(&mut other, &song) == wanted);
    assert!(copies(&other).notices.is_empty(), "{:?}", copies(&other).notices);
    assert_eq!(other.engines().host().changes(), 0, "nothing of the project has changed");

    // What comes back broken is refused, and not tried again and again.
    std::fs::rename(folder.join("quiet.json"), folder.join("away")).unwrap();
    let mut third = Tributary::default();
    transfer(&plugin, &third, "");
    activate(&mut third);
    std::fs::write(folder.join("quiet.json"), "{}").unwrap();
    third.engines().look_again();
    play_on(&mut host, &mut third, &song);
    assert!(copies(&third).notices.iter().any(|notice| notice.contains("What was missing cannot be used")));
    third.engines().look_again();
    assert!(!copies(&third).model.changing);

    // A project from before targets could be chosen.
    let old = Tributary::default();
    choose(&old, "quiet");
    transfer(&Tributary::default(), &old, "targets");
    assert_eq!(chosen(&old), "model");
    std::fs::remove_dir_all(root).unwrap();
}
