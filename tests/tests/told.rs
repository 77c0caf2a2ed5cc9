//! What the built plug-in tells a host, and what it makes of what a host's user types.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod common;

use clap_host::play::play;
use clap_host::{AudioSetup, Partition};
use common::{MODEL_RATE_HZ, Plugin, activate, choose, song};
use tributary_engine::LatencyMode;

/// One restart for another mode, none for the first load: the latency is told in the activation.
#[test]
fn another_latency_mode_takes_one_restart() {
    let Some(mut plugin) = Plugin::with_default_model() else { return };
    let setup = AudioSetup::live(MODEL_RATE_HZ, 512);
    let audio = song(8_192, MODEL_RATE_HZ, 7);
    let mut processor = activate(&mut plugin.instance, setup);
    let standard = plugin.instance.latency_frames();
    play(&mut processor, &audio, &Partition::Fixed(512)).unwrap();
    plugin.instance.serve_requests();
    assert_eq!(plugin.instance.restart_requests_and_latency_changes(), (0, 1), "the first load");

    choose(&mut plugin.instance, LatencyMode::Low);
    play(&mut processor, &audio, &Partition::Fixed(512)).unwrap();
    plugin.instance.serve_requests();
    assert_eq!(plugin.instance.restart_requests_and_latency_changes(), (1, 1), "asked for");
    assert_eq!(plugin.instance.latency_frames(), standard, "until then");

    plugin.instance.deactivate(processor);
    let mut processor = activate(&mut plugin.instance, setup);
    assert!(plugin.instance.latency_frames() < standard);
    play(&mut processor, &audio, &Partition::Fixed(512)).unwrap();
    plugin.instance.serve_requests();
    assert_eq!(plugin.instance.restart_requests_and_latency_changes(), (1, 2), "and no more");
    plugin.instance.deactivate(processor);
    assert_eq!(plugin.instance.dirty_marks(), 0, "what the host itself has loaded is no change");
}

#[test]
fn values_are_read_as_people_type_them() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let mut read = |name: &str, typed: &str| {
        let parameter = plugin.instance.parameter(name).unwrap();
        let value = plugin.instance.read_text(&parameter, typed).unwrap()?;
        Some((value - parameter.min) / (parameter.max - parameter.min))
    };
    for typed in ["+12.0 dB", "12", "12,0", " 12 DB"] {
        assert_eq!(read("Output gain", typed), Some(0.75), "{typed}");
    }
    for typed in ["-12.0 dB", "\u{2212}12.0 dB", "\u{2212}12,0"] {
        assert_eq!(read("Output gain", typed), Some(0.25), "{typed}");
    }
    assert_eq!(read("Output gain", "-inf"), Some(0.0));
    assert_eq!(read("Output gain", "loud"), None);
    for typed in ["50 %", "50%", "50,0", "50"] {
        assert_eq!(read("Mix", typed), Some(0.5), "{typed}");
    }
    for (typed, on) in [("on", 1.0), ("1", 1.0), ("True", 1.0), ("OFF", 0.0), ("0", 0.0), ("false", 0.0)] {
        assert_eq!(read("Bypass", typed), Some(on), "{typed}");
    }
    assert_eq!(read("Dry source", "sum of stems"), Some(1.0));
    assert_eq!(read("Dry source", "neither"), None);

    // And every text that the plug-in itself shows.
    for parameter in plugin.instance.parameters().unwrap() {
        for step in 0..=48 {
            let value = parameter.value_at(f64::from(step) / 48.0);
            let shown = plugin.instance.text(&parameter, value).unwrap();
            let read = plugin.instance.read_text(&parameter, &shown).unwrap();
            let again = plugin.instance.text(&parameter, read.expect(&shown)).unwrap();
            assert_eq!(again, shown, "{}", parameter.name);
        }
    }
}
