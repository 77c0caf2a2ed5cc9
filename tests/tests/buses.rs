//! Every sidechain arrives, with its own signal, at its own gain – through the built CLAP and the built VST3.
//!
//! The model is the plain sum with all effects off, so each gain is one exactly. The VST3 half guards the plug-in's own
//! factory: the framework's would deliver only the first sidechain, and validators do not notice.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod common;

use std::process::Command;

use clap_host::bundled::{built_vst3, model_folder, skipped, workspace_folder};
use clap_host::contribution::contributions;
use clap_host::play::play_aligned;
use clap_host::{Bus, BusAudio, Partition, Stereo};
use common::{MODEL_RATE_HZ, NULL_DB, Plugin, song};
use tributary_dsp::Stem;

#[test]
fn clap_passes_each_sidechain_alone() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let full = song(66_150, MODEL_RATE_HZ, 1);
    let noise_on_main = song(66_150, MODEL_RATE_HZ, 2).sum_of_stems();
    for stem in Stem::ALL {
        let alone = BusAudio::silence(full.frames())
            .with(Bus::Stem(stem), full.bus(Bus::Stem(stem)).clone())
            .with(Bus::Main, noise_on_main.clone());
        let mut processor = plugin.bounce(512);
        let latency = plugin.instance.latency_frames();
        let mix = play_aligned(&mut processor, &alone, &Partition::Fixed(512), latency).unwrap();
        plugin.instance.deactivate(processor);
        let residual_db = mix.residual_db(full.bus(Bus::Stem(stem)));
        assert!(residual_db <= NULL_DB, "{}: residual {residual_db:.1} dB", stem.name());
    }
}

#[test]
fn clap_adds_all_four_with_gain_one() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let audio = song(88_200, MODEL_RATE_HZ, 3);
    let mut processor = plugin.bounce(1024);
    let latency = plugin.instance.latency_frames();
    let mix = play_aligned(&mut processor, &audio, &Partition::Fixed(1024), latency).unwrap();
    plugin.instance.deactivate(processor);
    let found = contributions(&audio, &mix, 44_100).unwrap();
    for contribution in found.stems {
        for gain in contribution.gains {
            assert!((gain - 1.0).abs() < 1e-6, "{contribution:?}");
        }
    }
    assert!(found.residual_db <= NULL_DB, "{}", found.residual_db);
}

#[test]
fn clap_keeps_left_and_right_apart() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let audio = song(44_100, MODEL_RATE_HZ, 4);
    let left_only = Stem::ALL.iter().fold(BusAudio::silence(44_100), |silent, &stem| {
        let left = audio.bus(Bus::Stem(stem)).left.clone();
        silent.with(Bus::Stem(stem), Stereo { left, right: vec![0.0; 44_100] })
    });
    let mut processor = plugin.bounce(512);
    let latency = plugin.instance.latency_frames();
    let mix = play_aligned(&mut processor, &left_only, &Partition::Fixed(512), latency).unwrap();
    plugin.instance.deactivate(processor);
    assert!(clap_host::signals::residual_db(&mix.left, &left_only.sum_of_stems().left) <= NULL_DB);
    assert_eq!(clap_host::signals::peak(&mix.right), 0.0);
}

#[test]
fn vst3_passes_every_sidechain() {
    let Some(vst3) = built_vst3() else { return };
    let Some(python) = std::env::var_os("TRIBUTARY_PYTHON") else {
        skipped(
            "TRIBUTARY_PYTHON names no Python with DawDreamer (`cargo xtask test` sets it): VST3 not tested",
        );
        return;
    };
    let status = Command::new(python)
        .arg(workspace_folder().join("tests/python/vst3_buses.py"))
        .arg(vst3)
        .env("TRIBUTARY_MODEL", model_folder("sum"))
        .status()
        .unwrap();
    assert!(status.success(), "the built VST3 fails in DawDreamer; see above");
}
