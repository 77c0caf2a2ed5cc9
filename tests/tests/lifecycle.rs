//! Instances come and go in the middle of a hop, and are made in no time.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod common;

use std::time::{Duration, Instant};

use clap_host::play::play;
use clap_host::{AudioSetup, Partition};
use common::{MODEL_RATE_HZ, Plugin, activate, song};

#[test]
fn an_instance_goes_while_a_hop_runs() {
    let Some(plugin) = Plugin::with_default_model() else { return };
    let audio = song(60_000, MODEL_RATE_HZ, 2);
    for cut_frames in [20_000, 31_000, 47_000] {
        let mut instance = plugin.another();
        let mut processor = activate(&mut instance, AudioSetup::live(MODEL_RATE_HZ, 512));
        let mut begun = audio.clone();
        begun.resize(cut_frames);
        play(&mut processor, &begun, &Partition::Fixed(512)).unwrap();
        let start = Instant::now();
        instance.deactivate(processor);
        drop(instance);
        assert!(start.elapsed() < Duration::from_secs(3), "going away took {:?}", start.elapsed());
    }
}

#[test]
fn scanning_is_quick() {
    let Some(plugin) = Plugin::with_default_model() else { return };
    let start = Instant::now();
    let library = clap_host::Library::load(&plugin.path()).unwrap();
    let ids = library.plugin_ids().unwrap();
    let instance = library.instantiate(&ids[0]).unwrap();
    let elapsed = start.elapsed();
    assert_eq!(ids, [clap_host::bundled::CLAP_ID]);
    drop(instance);
    // Validators allow 100 ms for loading and instantiating; the runtime and the model come later, off this thread.
    assert!(elapsed < Duration::from_millis(500), "{elapsed:?}");
}
