//! The same song gives the same bits: in any blocks, twice, in company, and through the command line.
//!
//! These run the shipped model, so the network, the normalizer and the worker are all in play.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod common;

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use clap_host::bundled::{bundled_runtime, model_folder, present_or_skipped, skipped};
use clap_host::play::play_aligned;
use clap_host::state::SavedState;
use clap_host::{AudioSetup, Bus, BusAudio, Partition, Stereo};
use common::{MODEL_RATE_HZ, Plugin, activate, song};
use tributary_audio_io::{file_output, reader};
use tributary_dsp::{Stem, StereoBuffer, Targets};
use tributary_engine::Preset;

/// Length of the test songs, in frames: several hops.
const FRAMES: usize = 4 * 44_100;

fn bounce(plugin: &mut Plugin, setup: AudioSetup, partition: &Partition, seed: u64) -> Stereo {
    let mut processor = plugin.activate(setup);
    let latency = plugin.instance.latency_frames();
    let audio = song(FRAMES, setup.rate_hz, seed);
    let mix = play_aligned(&mut processor, &audio, partition, latency).unwrap();
    plugin.instance.deactivate(processor);
    assert!(mix.is_finite() && mix.peak() > 0.01, "the mix has a peak of {}", mix.peak());
    mix
}

#[test]
fn the_mix_does_not_depend_on_the_blocks_and_repeats() {
    let Some(mut plugin) = Plugin::with_default_model() else { return };
    let setup = AudioSetup::offline(MODEL_RATE_HZ, 4096);
    let reference = bounce(&mut plugin, setup, &Partition::Fixed(512), 1);
    for partition in [
        Partition::Fixed(512),
        Partition::Fixed(4096),
        Partition::Random { max_frames: 4096, seed: 1 },
        Partition::Cycle(vec![1, 63, 1000]),
    ] {
        assert!(bounce(&mut plugin, setup, &partition, 1) == reference, "{partition:?} changes the mix");
    }
    assert!(bounce(&mut plugin, setup, &Partition::Fixed(512), 2) != reference, "two songs, one mix");
}

#[test]
fn the_mix_does_not_depend_on_the_blocks_at_another_rate() {
    let Some(mut plugin) = Plugin::with_default_model() else { return };
    let setup = AudioSetup::offline(48_000.0, 2048);
    let reference = bounce(&mut plugin, setup, &Partition::Fixed(512), 1);
    let random = bounce(&mut plugin, setup, &Partition::Random { max_frames: 2048, seed: 2 }, 1);
    assert!(random == reference);
}

#[test]
fn a_host_that_hides_its_bounce_gets_the_same_mix() {
    let Some(mut plugin) = Plugin::with_default_model() else { return };
    let said = bounce(&mut plugin, AudioSetup::offline(MODEL_RATE_HZ, 512), &Partition::Fixed(512), 3);
    let start = Instant::now();
    let hidden = bounce(&mut plugin, AudioSetup::live(MODEL_RATE_HZ, 512), &Partition::Fixed(512), 3);
    let speed = FRAMES as f64 / MODEL_RATE_HZ / start.elapsed().as_secs_f64();
    if hidden != said && speed < 1.5 {
        // A host that gets slower than real time cannot be told from one that plays.
        skipped(&format!("this machine is too busy to bounce faster than it plays ({speed:.1} times)"));
        return;
    }
    assert!(hidden == said, "residual {:.1} dB at {speed:.1} times real time", hidden.residual_db(&said));
}

#[test]
fn eight_instances_at_once_each_make_their_own_mix() {
    let Some(mut plugin) = Plugin::with_default_model() else { return };
    let setup = AudioSetup::offline(MODEL_RATE_HZ, 512);
    let alone: Vec<Stereo> =
        (0..2).map(|seed| bounce(&mut plugin, setup, &Partition::Fixed(512), seed)).collect();
    let path = plugin.path();
    std::thread::scope(|scope| {
        for instance in 0..8 {
            let (path, alone) = (&path, &alone);
            scope.spawn(move || {
                let library = clap_host::Library::load(path).unwrap();
                let mut own = library.instantiate(clap_host::bundled::CLAP_ID).unwrap();
                let mut processor = activate(&mut own, setup);
                let latency = own.latency_frames();
                let audio = song(FRAMES, MODEL_RATE_HZ, instance % 2);
                let mix = play_aligned(&mut processor, &audio, &Partition::Fixed(512), latency).unwrap();
                own.deactivate(processor);
                assert!(
                    mix == alone[(instance % 2) as usize],
                    "instance {instance} differs from the same song alone"
                );
            });
        }
    });
}

/// What `tributary mix` makes of a song live, with these options besides.
fn mixed_by_command(audio: &BusAudio, name: &str, options: &[&str]) -> Option<Stereo> {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_demo-host")).with_file_name("tributary");
    let program = present_or_skipped(program)?;
    let folder = std::env::temp_dir().join(format!("tributary-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for stem in Stem::ALL {
        let stereo = audio.bus(Bus::Stem(stem)).clone();
        let buffer = StereoBuffer { left: stereo.left, right: stereo.right };
        file_output::write_wav(&folder.join(stem.name()).with_extension("wav"), &buffer, 44_100).unwrap();
    }
    let out = folder.join("out.wav");
    let status = Command::new(program)
        .args(["mix".as_ref(), folder.as_os_str(), "-o".as_ref(), out.as_os_str()])
        .args(["--profile", "adaptive"])
        .args(options)
        .arg("--model")
        .arg(model_folder("default"))
        .env("ORT_DYLIB_PATH", bundled_runtime().unwrap())
        .status()
        .unwrap();
    assert!(status.success());
    let written = reader::read(&out).unwrap().audio;
    std::fs::remove_dir_all(&folder).unwrap();
    Some(Stereo { left: written.left, right: written.right })
}

#[test]
fn the_command_line_makes_the_same_mix() {
    let Some(mut plugin) = Plugin::with_default_model() else { return };
    let Some(from_cli) = mixed_by_command(&song(FRAMES, MODEL_RATE_HZ, 4), "equal", &[]) else { return };
    let from_plugin = bounce(&mut plugin, AudioSetup::offline(MODEL_RATE_HZ, 512), &Partition::Fixed(512), 4);
    assert_eq!(from_cli.frames(), from_plugin.frames());
    assert!(from_cli == from_plugin, "residual {:.1} dB", from_cli.residual_db(&from_plugin));
}

/// With the plug-in's values in its saved state, and the command's in its options.
#[test]
fn the_command_line_steers_as_the_plug_in_does() {
    let Some(mut plugin) = Plugin::with_default_model() else { return };
    let options = ["--trim", "vocals=-3,drums=1.5", "--mute", "other", "--leave-alone", "bass"];
    let options = options.into_iter().chain(["--network", "60", "--amount", "width=25,vocals_loudness=50"]);
    let options: Vec<&str> = options.collect();
    let Some(from_cli) = mixed_by_command(&song(FRAMES, MODEL_RATE_HZ, 6), "steered", &options) else {
        return;
    };
    let plain = bounce(&mut plugin, AudioSetup::offline(MODEL_RATE_HZ, 512), &Partition::Fixed(512), 6);
    let mut json = plugin.instance.save_state().unwrap().json().unwrap();
    let number = |value: f32| serde_json::json!({ "f32": value });
    for (id, value) in [
        ("vocals_trim", number(-3.0)),
        ("drums_trim", number(1.5)),
        ("other_mute", serde_json::json!({ "bool": true })),
        ("bass_leave_alone", serde_json::json!({ "bool": true })),
        ("network", number(0.6)),
        ("width", number(0.25)),
        ("vocals_loudness", number(0.5)),
    ] {
        assert!(json["params"][id].is_object(), "{id} is no parameter");
        json["params"][id] = value;
    }
    plugin.instance.load_state(&SavedState::from_json(&json)).unwrap();
    let steered = bounce(&mut plugin, AudioSetup::offline(MODEL_RATE_HZ, 512), &Partition::Fixed(512), 6);
    assert!(steered != plain);
    assert!(from_cli == steered, "residual {:.1} dB", from_cli.residual_db(&steered));
}

/// Factory presets, and targets from a file that lies where the plug-in looks for some.
#[test]
fn presets_and_targets_are_the_same_to_the_command_line() {
    let Some(mut plugin) = Plugin::with_default_model() else { return };
    let folder = plugin.path().with_file_name("Tributary").join("targets");
    std::fs::create_dir_all(&folder).unwrap();
    let of_model = std::fs::read_to_string(model_folder("default").join("targets.json")).unwrap();
    let mut targets = Targets::from_json(&of_model).unwrap();
    let stems = &mut targets.stems;
    for (stem, db) in [(&mut stems.vocals, 3.0), (&mut stems.bass, -4.0), (&mut stems.other, 2.0)] {
        stem.loudness_lufs += db;
    }
    let file = folder.join("others.json");
    std::fs::write(&file, targets.to_json()).unwrap();
    let setup = AudioSetup::offline(MODEL_RATE_HZ, 512);
    let plain = bounce(&mut plugin, setup, &Partition::Fixed(512), 8);
    let fresh = plugin.instance.save_state().unwrap().json().unwrap();
    for key in ["gentle", "wide", "dry-room", "restore"] {
        let options = ["--preset", key, "--targets", file.to_str().unwrap(), "--amount", "drums_loudness=40"];
        let Some(from_cli) = mixed_by_command(&song(FRAMES, MODEL_RATE_HZ, 8), key, &options) else { return };
        let mut json = fresh.clone();
        for (id, value) in Preset::named(key).unwrap().values() {
            json["params"][id] = serde_json::json!({ "f32": value });
        }
        json["params"]["drums_loudness"] = serde_json::json!({ "f32": 0.4 });
        json["fields"]["targets"] = r#"{"format":1,"name":"others"}"#.into();
        plugin.instance.load_state(&SavedState::from_json(&json)).unwrap();
        let from_plugin = bounce(&mut plugin, setup, &Partition::Fixed(512), 8);
        assert!(from_plugin != plain, "{key}");
        assert!(from_cli == from_plugin, "{key}: residual {:.1} dB", from_cli.residual_db(&from_plugin));
    }
}

/// A project of before there were controls, loaded into a plug-in in which some are turned.
#[test]
fn an_earlier_project_sounds_as_it_did() {
    let Some(mut plugin) = Plugin::with_default_model() else { return };
    let setup = AudioSetup::offline(MODEL_RATE_HZ, 512);
    let plain = bounce(&mut plugin, setup, &Partition::Fixed(512), 7);
    let mut json = plugin.instance.save_state().unwrap().json().unwrap();
    let turned = serde_json::json!({ "f32": 0.25 });
    for id in ["network", "vocals_trim", "loudness", "drums_width"] {
        json["params"][id] = turned.clone();
    }
    plugin.instance.load_state(&SavedState::from_json(&json)).unwrap();
    assert!(bounce(&mut plugin, setup, &Partition::Fixed(512), 7) != plain);
    let earlier = ["mix", "gain", "bypass", "dry_source"];
    let params = json["params"].as_object_mut().unwrap();
    params.retain(|id, _| earlier.contains(&id.as_str()));
    assert_eq!(params.len(), earlier.len());
    plugin.instance.load_state(&SavedState::from_json(&json)).unwrap();
    assert!(bounce(&mut plugin, setup, &Partition::Fixed(512), 7) == plain);
}

/// Through the host's transport: pre-roll, and a bounce that begins in the middle without a reset before it.
#[test]
fn where_a_bounce_begins_is_where_the_song_is() {
    let Some(mut plugin) = Plugin::with_default_model() else { return };
    for rate_hz in [44_100.0, 48_000.0, 96_000.0] {
        let mut processor = plugin.activate(AudioSetup::offline(rate_hz, 512));
        let latency = plugin.instance.latency_frames();
        let mut bounce = |lead: usize, song_frame: Option<i64>| {
            // Silence while the transport stands still, and no reset.
            processor.locate(None);
            let quiet = BusAudio::silence(latency + 700);
            play_aligned(&mut processor, &quiet, &Partition::Fixed(512), 0).unwrap();
            let led_in = song(3 * rate_hz as usize, rate_hz, 5).after_silence(lead);
            processor.locate(song_frame);
            let mix = play_aligned(&mut processor, &led_in, &Partition::Fixed(512), latency).unwrap();
            mix.cut(lead..mix.frames())
        };
        let wanted = bounce(0, Some(0));
        assert!(wanted.peak() > 0.01);
        for lead in [5_000, 44_100] {
            let led_in = bounce(lead, Some(-(lead as i64)));
            assert!(led_in == wanted, "{rate_hz} Hz, {lead}: {:.1} dB", led_in.residual_db(&wanted));
            let elsewhere = bounce(lead, None).residual_db(&wanted);
            eprintln!("{rate_hz} Hz, {lead} frames of silence, no position: {elsewhere:.1} dB");
            assert!(elsewhere > -100.0, "the position is what makes them equal");
        }
        plugin.instance.deactivate(processor);
    }
}
