//! Instances come and go: a thousand of them, in the middle of loading, in the middle of a hop, without ever being asked to
//! process. Nothing is left behind: no thread, no growing memory.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod common;

use std::time::{Duration, Instant};

use clap_host::play::play;
use clap_host::{AudioSetup, Partition};
use common::{MODEL_RATE_HZ, Plugin, activate, song};

/// Threads of this process, and its resident memory in KiB.
fn footprint() -> (usize, usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| -> usize {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (field("Threads:"), field("VmRSS:"))
}

/// One test, because threads and memory are counted for the whole process.
#[test]
#[cfg(target_os = "linux")]
fn instances_come_and_go_without_a_trace() {
    let Some(sum) = Plugin::with_sum_model() else { return };
    let Some(network) = Plugin::with_default_model() else { return };
    let audio = song(2_000, MODEL_RATE_HZ, 1);
    let cycle = |plugin: &Plugin, count: usize| match count % 4 {
        0 => drop(plugin.another()),
        1 => {
            // Deactivated while the model loads.
            let mut instance = plugin.another();
            let processor = instance.activate(AudioSetup::live(48_000.0, 256)).unwrap();
            instance.deactivate(processor);
        }
        2 => {
            let mut instance = plugin.another();
            let mut processor = instance.activate(AudioSetup::live(48_000.0, 512)).unwrap();
            play(&mut processor, &audio, &Partition::Fixed(512)).unwrap();
            processor.stop();
            instance.deactivate(processor);
        }
        _ => {
            let mut instance = plugin.another();
            for rate_hz in [44_100.0, 96_000.0] {
                let mut processor = instance.activate(AudioSetup::offline(rate_hz, 128)).unwrap();
                play(&mut processor, &audio, &Partition::Cycle(vec![128, 1])).unwrap();
                processor.reset();
                instance.deactivate(processor);
            }
        }
    };
    (0..20).for_each(|count| cycle(&sum, count));
    (0..8).for_each(|count| cycle(&network, count));
    let (threads, memory_kib) = footprint();
    (0..1_000).for_each(|count| cycle(&sum, count));
    (0..20).for_each(|count| cycle(&network, count));
    // The other tests of this file run beside this one; what they hold goes when they end.
    let patience = std::time::Instant::now();
    while footprint().0 > threads && patience.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let (threads_after, memory_after_kib) = footprint();
    assert!(threads_after <= threads, "{} threads are left behind", threads_after - threads);
    let growth_mib = (memory_after_kib as f64 - memory_kib as f64) / 1024.0;
    assert!(growth_mib < 40.0, "1,020 instances left {growth_mib:.1} MiB");
}

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
