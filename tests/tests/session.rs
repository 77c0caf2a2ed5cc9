//! What a project saves comes back; what is damaged does no harm; what is from the future is kept.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod common;

use clap_host::play::{play, play_aligned};
use clap_host::signals::Random;
use clap_host::state::SavedState;
use clap_host::{AudioSetup, Instance, ParameterChange, Partition};
use common::{MODEL_RATE_HZ, NULL_DB, Plugin, activate, song};
use serde_json::{Value, json};

/// Saved values of all parameters, in the plug-in's order.
fn values(instance: &mut Instance) -> Vec<f64> {
    let parameters = instance.parameters().unwrap();
    parameters.iter().map(|parameter| instance.value(parameter).unwrap()).collect()
}

#[test]
fn parameters_are_named_in_range_and_readable() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let parameters = plugin.instance.parameters().unwrap();
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    let of_mix = ["Mix", "Output gain", "Bypass", "Dry source", "Network", "Match loudness", "Delta"];
    assert_eq!(names[..7], of_mix);
    let effects = ["Reverb", "EQ", "Compression", "Panning", "Width", "Loudness"];
    assert_eq!(names[7..13], effects);
    for (stem, names) in ["Vocals", "Bass", "Drums", "Other"].into_iter().zip(names[13..].chunks(11)) {
        let of_stem = ["trim", "mute", "solo", "leave alone", "lock"].into_iter().chain(effects);
        let wanted: Vec<String> = of_stem.map(|name| format!("{stem} {name}")).collect();
        assert_eq!(names, wanted);
    }
    assert_eq!(names.len(), 13 + 4 * 11);
    for parameter in &parameters {
        assert!(parameter.is_automatable, "{parameter:?}");
        assert_eq!(plugin.instance.value(parameter).unwrap(), parameter.default);
        assert!((parameter.min..=parameter.max).contains(&parameter.default), "{parameter:?}");
        for position in [0.0, 0.5, 1.0] {
            assert!(!plugin.instance.text(parameter, parameter.value_at(position)).unwrap().is_empty());
        }
    }
    let mix = plugin.instance.parameter("Mix").unwrap();
    assert_eq!(plugin.instance.text(&mix, mix.max).unwrap(), "100.0 %");
}

/// Which stems a project says are locked at something.
fn locked(saved: &SavedState) -> [bool; 4] {
    let json = saved.json().unwrap();
    let document: Value = serde_json::from_str(json["fields"]["locked"].as_str().unwrap()).unwrap();
    std::array::from_fn(|stem| document["locked"][stem].is_object())
}

/// With the shipped model: locked while it plays, saved, and bounced by another instance that has heard nothing.
#[test]
fn what_stems_are_locked_at_is_in_the_project() {
    let Some(mut plugin) = Plugin::with_default_model() else { return };
    let bounce = |instance: &mut Instance| {
        let mut processor = activate(instance, AudioSetup::offline(MODEL_RATE_HZ, 512));
        let (latency, audio) = (instance.latency_frames(), song(4 * 44_100, MODEL_RATE_HZ, 4));
        let mix = play_aligned(&mut processor, &audio, &Partition::Fixed(512), latency).unwrap();
        instance.deactivate(processor);
        mix
    };
    let open = bounce(&mut plugin.instance);
    let mut processor = plugin.bounce(512);
    let lock = |stem: &str| {
        let parameter = plugin.instance.parameter(&format!("{stem} lock")).unwrap();
        ParameterChange { frame: 0, parameter_id: parameter.id, value: parameter.max }
    };
    let changes = ["Vocals", "Bass", "Other"].map(lock);
    // Long enough that there is something to keep of each of them.
    let audio = song(20 * 44_100, MODEL_RATE_HZ, 5);
    clap_host::play::play_with(&mut processor, &audio, &Partition::Fixed(512), &changes, &mut |_| {})
        .unwrap();
    plugin.instance.deactivate(processor);
    let saved = plugin.instance.save_state().unwrap();
    assert_eq!(locked(&saved), [true, true, false, true]);
    let here = bounce(&mut plugin.instance);
    let mut other = plugin.another();
    other.load_state(&saved).unwrap();
    let there = bounce(&mut other);
    assert!(here == there, "residual {:.1} dB", here.residual_db(&there));
    assert!(here != open, "the lock does something");
    assert_eq!(locked(&other.save_state().unwrap()), [true, true, false, true]);
}

#[test]
fn parameters_and_session_survive_saving_and_loading() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let mut processor = plugin.bounce(512);
    let wanted = [
        ("Mix", 0.3),
        ("Output gain", 0.6),
        ("Bypass", 1.0),
        ("Dry source", 1.0),
        ("Network", 0.4),
        ("Delta", 1.0),
        ("EQ", 0.2),
        ("Vocals trim", 0.25),
        ("Bass leave alone", 1.0),
        ("Drums mute", 1.0),
        ("Other lock", 1.0),
        ("Other Width", 0.5),
    ];
    let audio = song(44_100, MODEL_RATE_HZ, 1);
    let changes: Vec<ParameterChange> = wanted
        .map(|(name, position)| {
            let parameter = plugin.instance.parameter(name).unwrap();
            ParameterChange { frame: 0, parameter_id: parameter.id, value: parameter.value_at(position) }
        })
        .into();
    clap_host::play::play_with(&mut processor, &audio, &Partition::Fixed(512), &changes, &mut |_| {})
        .unwrap();
    let saved = plugin.instance.save_state().unwrap();
    plugin.instance.deactivate(processor);

    let mut other = plugin.another();
    assert_ne!(values(&mut other), values(&mut plugin.instance));
    other.load_state(&saved).unwrap();
    assert_eq!(values(&mut other), values(&mut plugin.instance));
    let session = saved.session().unwrap();
    assert_eq!(session["format"], 1);
    assert!(!session["model"]["name"].as_str().unwrap().is_empty());
    assert_eq!(session["model"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(other.save_state().unwrap().session().unwrap()["model"], session["model"]);
}

#[test]
fn saving_and_loading_while_it_plays() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let mut processor = plugin.bounce(256);
    let latency = plugin.instance.latency_frames();
    let audio = song(10 * 44_100, MODEL_RATE_HZ, 3);
    let saved = plugin.instance.save_state().unwrap();
    let (done, is_done) = std::sync::mpsc::channel();
    let mix = std::thread::scope(|scope| {
        let playing = scope.spawn(|| {
            let mix = play_aligned(&mut processor, &audio, &Partition::Fixed(256), latency).unwrap();
            done.send(()).unwrap();
            mix
        });
        let mut rounds = 0;
        while is_done.try_recv().is_err() {
            plugin.instance.serve_requests();
            plugin.instance.load_state(&saved).unwrap();
            assert!(plugin.instance.save_state().unwrap().session().is_some());
            assert_eq!(plugin.instance.latency_frames(), latency);
            rounds += 1;
        }
        assert!(rounds > 3, "the song was over before the state was saved {rounds} times");
        playing.join().unwrap()
    });
    plugin.instance.deactivate(processor);
    assert!(mix.residual_db(&audio.sum_of_stems()) <= NULL_DB);
}

#[test]
fn the_report_tells_how_the_run_went() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let mut processor = plugin.bounce(512);
    let latency = plugin.instance.latency_frames();
    play(&mut processor, &song(4 * 44_100, MODEL_RATE_HZ, 1), &Partition::Fixed(512)).unwrap();
    let report = plugin.instance.save_state().unwrap().report().unwrap();
    plugin.instance.deactivate(processor);
    assert_eq!(report.model_state().as_deref(), Some("ready"));
    assert_eq!(report.latency_frames(), Some(latency as u64));
    assert_eq!(report.underruns(), Some(0));
    assert_eq!(report.stems().len(), 4);
    for stem in report.stems() {
        // All effects are off, so both loudnesses are that of the same signal.
        let (before, after) = (stem.before_lufs.unwrap(), stem.after_lufs.unwrap());
        assert!((before - after).abs() < 1.0 && (-40.0..-5.0).contains(&before), "{stem:?}");
    }
}

#[test]
fn a_session_from_the_future_is_kept_as_it_is() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let mut json = plugin.instance.save_state().unwrap().json().unwrap();
    let future = json!({ "format": 99, "model": { "style": "opera" }, "new": [1, 2, { "deep": true }] });
    json["fields"]["session"] = Value::String(future.to_string());
    plugin.instance.load_state(&SavedState::from_json(&json)).unwrap();
    assert_eq!(plugin.instance.save_state().unwrap().session().unwrap(), future);
    // It still plays, and playing does not overwrite what it did not understand.
    // Its report is not in what it saves, so there is no waiting for the model: the bounce itself waits.
    let mut processor = plugin.instance.activate(AudioSetup::offline(MODEL_RATE_HZ, 512)).unwrap();
    let output = play(&mut processor, &song(88_200, MODEL_RATE_HZ, 1), &Partition::Fixed(512)).unwrap();
    plugin.instance.deactivate(processor);
    assert!(output.is_finite() && output.peak() > 0.0);
    assert_eq!(plugin.instance.save_state().unwrap().session().unwrap(), future);
}

/// One way to damage a state.
fn damaged(saved: &SavedState, random: &mut Random) -> SavedState {
    let mut bytes = saved.bytes().to_vec();
    match random.below(8) {
        0 => bytes.truncate(random.below(bytes.len())),
        1 => (0..1 + random.below(20)).for_each(|_| {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }),
        2 => {
            let length = random.bits() >> random.below(64);
            bytes[..8].copy_from_slice(&length.to_le_bytes());
        }
        3 => bytes = (0..random.below(300)).map(|_| random.bits() as u8).collect(),
        4 => {
            let depth = 1 + random.below(5000);
            return SavedState::from_json(
                &json!({ "version": "1", "params": {}, "fields": { "session": "[".repeat(depth) } }),
            );
        }
        5 => return with_strange_value(saved, random, "params"),
        6 => return with_strange_value(saved, random, "fields"),
        _ => {
            let (from, to) = (random.below(bytes.len()), random.below(bytes.len()));
            bytes[from..].reverse();
            bytes.swap(from, to);
        }
    }
    SavedState::from_bytes(bytes)
}

/// Puts something of another kind or size in the place of one entry of `part`.
fn with_strange_value(saved: &SavedState, random: &mut Random, part: &str) -> SavedState {
    let mut json = saved.json().unwrap();
    let entries = json[part].as_object_mut().unwrap();
    let keys: Vec<String> = entries.keys().cloned().collect();
    let key = keys[random.below(keys.len())].clone();
    let strange = [
        Value::Null,
        json!(1e300),
        json!(-1e300),
        json!(i64::MIN),
        json!("NaN"),
        json!("{\"format\": -1}"),
        json!("{\"format\": 1, \"report\": \"none\", \"model\": 7}"),
        json!("{\"format\": 18446744073709551615}"),
        json!([[[]]]),
        json!("x".repeat(1 + random.below(100_000))),
    ];
    entries.insert(key, strange[random.below(strange.len())].clone());
    SavedState::from_json(&json)
}

#[test]
fn a_thousand_damaged_states_do_no_harm() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let mut processor = plugin.bounce(512);
    let audio = song(4410, MODEL_RATE_HZ, 1);
    play(&mut processor, &audio, &Partition::Fixed(512)).unwrap();
    let saved = plugin.instance.save_state().unwrap();
    let parameters = plugin.instance.parameters().unwrap();
    let mut random = Random::new(1);
    let mut refused = 0;
    for round in 0..1000 {
        let state = damaged(&saved, &mut random);
        refused += usize::from(plugin.instance.load_state(&state).is_err());
        for parameter in &parameters {
            let value = plugin.instance.value(parameter).unwrap();
            assert!(
                (parameter.min..=parameter.max).contains(&value),
                "round {round}: {parameter:?} = {value}"
            );
        }
        let now =
            plugin.instance.save_state().unwrap_or_else(|_| panic!("round {round}: no state can be saved"));
        assert!(now.bytes().len() < saved.bytes().len() + 300_000, "round {round}: the state grows");
        if round % 50 == 0 {
            let output = play(&mut processor, &audio, &Partition::Fixed(512)).unwrap();
            assert!(output.is_finite(), "round {round}");
        }
    }
    assert!(refused > 200, "only {refused} of 1,000 damaged states were refused: the damage does not damage");
    plugin.instance.load_state(&saved).unwrap();
    assert_eq!(
        plugin.instance.save_state().unwrap().json().unwrap()["params"],
        saved.json().unwrap()["params"]
    );
    plugin.instance.deactivate(processor);
}
