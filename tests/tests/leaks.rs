//! A thousand instances come and go, in the middle of loading, without ever being asked to process, between two rates. Nothing
//! is left behind: no thread, no growing memory. Alone in its file, because threads and memory are counted for the whole process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod common;

use clap_host::play::play;
use clap_host::{AudioSetup, Partition};
use common::{MODEL_RATE_HZ, Plugin, song};

/// Threads of this process once those that were joined are gone: the kernel lets go of a thread a moment before it stops
/// counting it, so the fewest within a second count. One that ends by itself within that second is forgiven.
fn threads() -> usize {
    let look = |_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        threads_now()
    };
    (0..50).map(look).min().unwrap()
}

/// Threads of this process as the kernel counts them, those on their way out included.
fn threads_now() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("Threads:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// What is allocated and not freed, plug-in and ONNX Runtime included, in MiB. Resident memory would not do: the allocator
/// keeps what was freed, tens of MiB more or less from run to run.
#[allow(unsafe_code)]
fn allocated_mib() -> f64 {
    // SAFETY: reads the allocator's counters, under its own locks.
    let heap = unsafe { libc::mallinfo2() };
    (heap.uordblks + heap.hblkhd) as f64 / f64::from(1 << 20)
}

/// What a thousand lives may leave allocated: names, counters, the test's own output.
const GROWTH_MIB: f64 = 1.0;

#[test]
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
    let (threads_before, before_mib) = (threads(), allocated_mib());
    (0..1_000).for_each(|count| cycle(&sum, count));
    (0..20).for_each(|count| cycle(&network, count));
    assert_eq!(threads(), threads_before, "threads are left behind");
    let growth_mib = allocated_mib() - before_mib;
    assert!(growth_mib < GROWTH_MIB, "1,020 instances left {growth_mib:.1} MiB");
    // The measure sees what it is to see: two instances' worth of frames, kept.
    let kept = std::hint::black_box(vec![1.0_f32; 500_000]);
    assert!(allocated_mib() - before_mib > growth_mib + 1.5, "{} frames are not seen", kept.len());
}
