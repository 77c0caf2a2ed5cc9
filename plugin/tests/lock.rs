//! Locking a stem as a user does it, through the shell: lock, save, open elsewhere, let go. In a process of its own, because
//! the model is chosen by an environment variable.

#![allow(unsafe_code)] // Parameters, like the environment, are set through the framework's unsafe means.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::time::{Duration, Instant};

use nice_plug::prelude::*;
use serde_json::{Value, json};
use support::{activate_offline as activate, play, song, stage_sum};
use tributary::Tributary;
use tributary_dsp::{Recipe, Stem};

fn lock(plugin: &Tributary, stem: Stem, on: bool) {
    let param = &plugin.parameters().stem(stem).lock;
    // SAFETY: the parameter outlives the call.
    unsafe { param.as_ptr()._internal_set_normalized_value(f32::from(u8::from(on))) };
}

fn locked(plugin: &Tributary) -> Value {
    serde_json::from_str(&plugin.params().serialize_fields()["locked"]).unwrap()
}

/// Which stems a save says are locked at something.
fn locked_stems(plugin: &Tributary) -> [bool; 4] {
    let document = locked(plugin);
    Stem::ALL.map(|stem| document["locked"][stem.index()].is_object())
}

/// The worker says what it has locked shortly after it has.
fn wait_for(plugin: &Tributary, wanted: [bool; 4]) {
    let started = Instant::now();
    while locked_stems(plugin) != wanted {
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", locked_stems(plugin));
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What a save writes, with the locks as they are; of a version that has none without them.
fn saved(plugin: &Tributary, knows_locks: bool) -> PluginState {
    let mut fields = plugin.params().serialize_fields();
    let params = &**plugin.parameters();
    let lock = |stem: Stem| (format!("{stem}_lock"), json!({ "bool": params.stem(stem).lock.value() }));
    let params: serde_json::Map<String, Value> =
        Stem::ALL.into_iter().map(lock).filter(|_| knows_locks).collect();
    if !knows_locks {
        fields.remove("locked");
    }
    serde_json::from_value(json!({ "version": "0.1.0", "params": params, "fields": fields })).unwrap()
}

/// Loads it as the framework does.
fn load(plugin: &Tributary, mut state: PluginState) {
    Tributary::filter_state(&mut state);
    for stem in Stem::ALL {
        lock(
            plugin,
            stem,
            serde_json::to_value(&state.params[&format!("{stem}_lock")]).unwrap()["bool"] == true,
        );
    }
    plugin.params().deserialize_fields(&state.fields);
}

#[test]
fn lock_save_open_let_go() {
    let folder = std::env::temp_dir().join(format!("tributary-shell-lock-{}", std::process::id()));
    // Every effect at full amount.
    stage_sum(&folder, |contract| contract["recipe"] = serde_json::to_value(Recipe::default()).unwrap());
    // SAFETY: this process has one test, and no other thread reads the environment yet.
    unsafe { std::env::set_var("TRIBUTARY_MODEL", &folder) };
    let song = song();
    // Softer by 12 dB: what is followed follows that.
    let softer = song.clone().map(|mut stem| {
        stem.left.iter_mut().chain(&mut stem.right).for_each(|x| *x *= 0.25);
        stem
    });

    let mut plugin = Tributary::default();
    activate(&mut plugin);
    let adaptive = play(&mut plugin, &softer);
    plugin.reset();
    play(&mut plugin, &song);
    assert_eq!(locked(&plugin), Value::Null);
    Stem::ALL.into_iter().for_each(|stem| lock(&plugin, stem, true));
    play(&mut plugin, &song);
    wait_for(&plugin, [true; 4]);
    let (kept, project) = (locked(&plugin), saved(&plugin, true));
    assert!(kept.to_string().len() < 128 * 1024, "{} bytes", kept.to_string().len());
    plugin.reset();
    let here = play(&mut plugin, &softer);
    assert!(here != adaptive);
    assert_eq!(locked(&plugin), kept, "whatever is heard");

    // In another instance before and after activation, and in the same one again.
    let reopened = |before: bool| {
        let mut other = Tributary::default();
        if before {
            load(&other, project.clone());
            assert_eq!(locked(&other), kept, "saved again unheard");
        }
        activate(&mut other);
        if !before {
            load(&other, project.clone());
            other.reset();
        }
        assert!(play(&mut other, &softer) == here, "before activation: {before}");
        assert_eq!(locked(&other), kept);
        other
    };
    let (other, mut third) = (reopened(true), reopened(false));
    plugin.deactivate();
    assert_eq!(locked(&plugin), kept, "saved while nothing runs");
    activate(&mut plugin);
    assert!(play(&mut plugin, &softer) == here);

    // Let go, one of them while nothing runs; and a project of a version without locks.
    lock(&plugin, Stem::Bass, false);
    play(&mut plugin, &softer);
    wait_for(&plugin, [true, false, true, true]);
    third.deactivate();
    Stem::ALL.into_iter().for_each(|stem| lock(&third, stem, false));
    activate(&mut third);
    assert!(play(&mut third, &softer) == adaptive, "nothing is left of the lock");
    load(&other, saved(&third, false));
    let mut other = other;
    other.reset();
    assert!(play(&mut other, &softer) == adaptive, "an earlier project has nothing locked");
    wait_for(&other, [false; 4]);
    std::fs::remove_dir_all(folder).unwrap();
}
