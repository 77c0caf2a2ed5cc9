//! A live engine without a plug-in: a worker thread makes the mix, and the audio thread only copies samples in and out. The
//! model is the plain sum; `ModelSource::open` would load a bundle.
//!
//! `cargo run --release -p tributary-engine --example live_engine`

use std::error::Error;
use std::time::Duration;

use tributary_dsp::{CHANNELS, CorrectionSource, Recipe};
use tributary_engine::{Engine, EngineConfig, EngineState, ModelSource, Settings, SumModel, WindowGeometry};

const RATE_HZ: f64 = 44_100.0;
const BLOCK: usize = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let model = ModelSource::Custom {
        geometry: WindowGeometry::DEFAULT,
        recipe: Recipe::bypass(),
        targets: Box::default(),
        limiter: None,
        load: Box::new(|_| Ok(Box::new(SumModel::new(WindowGeometry::DEFAULT)))),
    };
    let corrections = CorrectionSource::Adaptive;
    let config = EngineConfig { model, corrections, host_rate_hz: RATE_HZ, max_block: BLOCK };
    let (mut audio, handle) = Engine::start(config);
    while !matches!(handle.telemetry().state(), EngineState::Ready) {
        std::thread::sleep(Duration::from_millis(5));
    }

    // From here on this is the audio thread. Said to be offline, it waits for the worker instead of the clock.
    let settings = Settings { offline: true, ..Settings::default() };
    let stem = [0.1_f32; BLOCK];
    let mut heard = 0.0_f32;
    for _ in 0..(3.0 * RATE_HZ) as usize / BLOCK {
        let (mut left, mut right) = ([0.0; BLOCK], [0.0; BLOCK]);
        audio.process([&mut left, &mut right], [&stem; CHANNELS], &settings);
        heard = heard.max(left[BLOCK - 1]);
    }
    println!("four stems at 0.1 make {heard:.3}, {:.0} ms later", handle.latency().total_ms());
    Ok(())
}
