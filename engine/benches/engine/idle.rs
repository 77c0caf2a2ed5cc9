//! What a silent instance costs: CPU time of the worker while a host plays silence in real time, and while it has stopped
//! calling. CPU time, so that busy neighbors do not show.

use std::time::{Duration, Instant};

use tributary_dsp::{CHANNELS, CorrectionSource};
use tributary_engine::{AudioSide, Engine, EngineConfig, EngineHandle, ModelBundle, ModelSource, Settings};

use super::{HOST_RATE_HZ, Results};

const BLOCK_FRAMES: usize = 512;
/// Silence before the measurement: the normalizer rests after 11 s, a compressor's release takes up to 21 s.
const SETTLING_SECONDS: usize = 30;
const MEASURED_SECONDS: usize = 10;

/// `idle_percent` and `stopped_percent`, in percent of one core.
pub fn idle(bundle: &ModelBundle, results: &mut Results) {
    let (mut audio, handle) = Engine::start(EngineConfig {
        model: ModelSource::Bundle { bundle: Box::new(bundle.clone()), library: None },
        corrections: CorrectionSource::Adaptive,
        host_rate_hz: HOST_RATE_HZ,
        max_block: BLOCK_FRAMES,
    });
    // A song before the silence, so that every stage has something to let go of.
    let song = super::stems(5 * HOST_RATE_HZ as usize);
    let offline = Settings { offline: true, ..Settings::default() };
    for at in (0..song[0].len() - BLOCK_FRAMES).step_by(BLOCK_FRAMES) {
        block(&mut audio, std::array::from_fn(|c| &song[c][at..at + BLOCK_FRAMES]), &offline);
    }
    let silence: [&[f32]; CHANNELS] = [&[0.0; BLOCK_FRAMES]; CHANNELS];
    for _ in 0..SETTLING_SECONDS * HOST_RATE_HZ as usize / BLOCK_FRAMES {
        block(&mut audio, silence, &offline);
    }
    if !is_ready(&handle) {
        return;
    }
    let Some(before) = worker_time() else {
        eprintln!("SKIPPED: idle: this system does not tell a thread's CPU time");
        return;
    };
    let started = Instant::now();
    let block_s = BLOCK_FRAMES as f64 / HOST_RATE_HZ;
    for n in 0..(MEASURED_SECONDS as f64 / block_s) as u32 {
        std::thread::sleep(Duration::from_secs_f64(block_s * f64::from(n)).saturating_sub(started.elapsed()));
        block(&mut audio, silence, &Settings::default());
    }
    let percent = |before: Duration, started: Instant| {
        let used = worker_time().unwrap_or_default().saturating_sub(before);
        100.0 * used.as_secs_f64() / started.elapsed().as_secs_f64()
    };
    results.push(("idle_percent", percent(before, started)));
    let (before, started) = (worker_time().unwrap_or_default(), Instant::now());
    std::thread::sleep(Duration::from_secs(MEASURED_SECONDS as u64));
    results.push(("stopped_percent", percent(before, started)));
}

fn block(audio: &mut AudioSide, stems: [&[f32]; CHANNELS], settings: &Settings) {
    let (mut left, mut right) = ([0.0; BLOCK_FRAMES], [0.0; BLOCK_FRAMES]);
    audio.process([&mut left, &mut right], stems, settings);
}

fn is_ready(handle: &EngineHandle) -> bool {
    let report = handle.report();
    if report.state != "ready" {
        eprintln!("SKIPPED: idle: the engine was {}: {}", report.state, report.reason);
    }
    report.state == "ready"
}

/// CPU time of the only worker in this process.
fn worker_time() -> Option<Duration> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let mut workers = tasks.flatten().map(|task| task.path()).filter(|task| {
        // Names are cut at 15 bytes.
        std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.starts_with("tributary-worke"))
    });
    let text = std::fs::read_to_string(workers.next()?.join("schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
