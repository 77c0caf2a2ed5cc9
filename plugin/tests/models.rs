//! Another model while the plug-in plays, through the shell: it fades in at the same latency, asks for a restart when it needs
//! more, is refused when it is broken, and comes back with the project. In a process of its own, because models are found
//! through the environment.

#![allow(unsafe_code)] // The framework's buffers can only be filled through its unsafe setter, variables set likewise.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::time::{Duration, Instant};

use nice_plug::prelude::*;
use serde_json::json;
use support::{Host, activate_offline as activate, copies, play, play_in, song, stage_sum, transfer};
use tributary::Tributary;
use tributary::models::ModelChoice;
use tributary_dsp::StereoBuffer;
use tributary_engine::LatencyMode;

fn choose(plugin: &Tributary, name: &str) {
    plugin.engines().choose_model(ModelChoice::new(name).unwrap());
}

fn chosen(plugin: &Tributary) -> String {
    copies(plugin).model.choice
}

/// Plays until no model is coming in any more.
fn play_on(host: &mut Host, plugin: &mut Tributary, song: &[StereoBuffer; 4]) {
    let started = Instant::now();
    while copies(plugin).model.changing {
        play_in(host, plugin, song);
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", copies(plugin).notices);
    }
}

/// From the choice through the activation that it asks for, and while that plays: a second request would load the model
/// twice.
fn every_change_of_the_latency_mode_takes_one_restart(plugin: &mut Tributary, song: &[StereoBuffer; 4]) {
    let mut host = Host::default();
    let mut latency = copies(plugin).latency.total_samples;
    for (asked, mode) in [LatencyMode::Low, LatencyMode::High, LatencyMode::Monitor].into_iter().enumerate() {
        let restarts = host.restarts.get();
        assert_eq!(restarts, asked as u32, "before {mode:?}");
        plugin.engines().choose_latency(mode);
        play_in(&mut host, plugin, song);
        plugin.engines().choose_latency(mode);
        play_in(&mut host, plugin, song);
        assert_eq!(host.restarts.get(), restarts + 1, "asked for {mode:?}");
        plugin.deactivate();
        let other = activate(plugin);
        assert_ne!(other, latency, "{mode:?} is another latency");
        latency = other;
        play_in(&mut host, plugin, song);
        plugin.reset();
        play_in(&mut host, plugin, song);
        assert_eq!(host.restarts.get(), restarts + 1, "once for {mode:?}");
    }
}

#[test]
fn choose_a_model_while_it_plays() {
    let root = std::env::temp_dir().join(format!("tributary-shell-models-{}", std::process::id()));
    let of_user = root.join("tributary/models");
    stage_sum(&root.join("first"), |_| {});
    // Half as loud or so, and quicker; one that needs more latency; one that cannot be opened; one that cannot run.
    let loudness = |contract: &mut serde_json::Value| contract["recipe"]["loudness"]["amount"] = json!(1.0);
    stage_sum(&of_user.join("quicker"), |contract| {
        loudness(contract);
        contract["name"] = json!("Quicker");
        // Its windows end where the normalizer's hops do, so that neither waits for the other.
        contract["window"]["lookahead_frames"] = json!(1024);
        contract["window"]["crossfade_frames"] = json!(512);
    });
    stage_sum(&of_user.join("later"), |contract| contract["window"]["lookahead_frames"] = json!(4096));
    stage_sum(&of_user.join("broken"), |contract| contract["window"] = json!("wide"));
    // SAFETY: this process has one test, and no other thread reads the environment yet.
    unsafe {
        std::env::set_var("TRIBUTARY_MODEL", root.join("first"));
        std::env::set_var("XDG_DATA_HOME", &root);
    }
    let song = song();
    let mut host = Host::default();

    // Without an activation a choice is just noted.
    let mut fresh = Tributary::default();
    choose(&fresh, "quicker");
    let fresh_latency = activate(&mut fresh);
    let wanted = play(&mut fresh, &song);

    let mut plugin = Tributary::default();
    let latency = activate(&mut plugin);
    assert!(fresh_latency < latency);
    assert_eq!(copies(&plugin).model.choices, ["default", "broken", "later", "quicker"]);
    let first = play(&mut plugin, &song);
    assert!(first[latency..] != wanted[fresh_latency..][..first.len() - latency]);

    let changes = |plugin: &Tributary| plugin.engines().host().changes();
    choose(&plugin, "default");
    assert_eq!(changes(&plugin), 0, "nothing is new");
    choose(&plugin, "quicker");
    assert!(copies(&plugin).model.changing);
    assert_eq!(changes(&plugin), 1, "the project has changed");
    choose(&plugin, "later");
    assert_eq!((chosen(&plugin).as_str(), changes(&plugin)), ("quicker", 1), "one at a time");
    plugin.reset();
    assert!(play_in(&mut host, &mut plugin, &song) == first, "it listens before it fades in");
    play_on(&mut host, &mut plugin, &song);
    assert_eq!(copies(&plugin).model.name, "Quicker");
    assert_eq!(copies(&plugin).latency.total_samples, latency, "at the latency that the host knows");
    plugin.reset();
    let second = play(&mut plugin, &song);
    assert!(second[latency..] == wanted[fresh_latency..][..second.len() - latency], "and nothing else");
    assert_eq!(host.restarts.get(), 0);

    // Saved by its name, and there again in another instance.
    let mut other = Tributary::default();
    transfer(&plugin, &other, "");
    assert_eq!(activate(&mut other), fresh_latency);
    assert!(play(&mut other, &song) == wanted);

    choose(&plugin, "broken");
    play_on(&mut host, &mut plugin, &song);
    assert_eq!((chosen(&plugin).as_str(), changes(&plugin)), ("quicker", 3), "chosen, and given up");
    assert!(copies(&plugin).notices.iter().any(|notice| notice.starts_with("“broken” cannot be used")));

    choose(&plugin, "later");
    play_on(&mut host, &mut plugin, &song);
    play_in(&mut host, &mut plugin, &song);
    assert_eq!(host.restarts.get(), 1, "asked for once");
    assert!(copies(&plugin).notices.iter().any(|notice| notice.contains("restarts Tributary")));
    assert_eq!(copies(&plugin).model.name, "Quicker", "until then");
    plugin.deactivate();
    assert!(activate(&mut plugin) > latency);
    assert_eq!(chosen(&plugin), "later");
    assert!(!copies(&plugin).notices.iter().any(|notice| notice.contains("restarts Tributary")));

    // A model that is not installed: the default one meanwhile, and the name is kept.
    let fields = [("model".to_owned(), json!({"format": 1, "name": "elsewhere"}).to_string())].into();
    plugin.parameters().deserialize_fields(&fields);
    plugin.deactivate();
    assert_eq!(activate(&mut plugin), latency);
    assert!(play(&mut plugin, &song) == first);
    assert!(copies(&plugin).notices.iter().any(|notice| notice.contains("“elsewhere” was not found")));
    assert_eq!(chosen(&plugin), "elsewhere");
    every_change_of_the_latency_mode_takes_one_restart(&mut plugin, &song);
    std::fs::remove_dir_all(root).unwrap();
}
