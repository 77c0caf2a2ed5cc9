//! What each latency mode reports to a host, in ms at 48 kHz and blocks of 512 frames, where resampling takes part. Loads
//! nothing; a file of its own because the modes are no cost.

use tributary_dsp::CorrectionSource;
use tributary_engine::{LatencyMode, ModelBundle, ModelSource};

/// The longest block that the host announces, in frames.
const BLOCK_FRAMES: usize = 512;

/// `latency_ms_low` and so on; the named parts go to the terminal.
pub fn latencies(bundle: &ModelBundle, host_rate_hz: f64, results: &mut Vec<(&'static str, f64)>) {
    let names = ["latency_ms_low", "latency_ms_standard", "latency_ms_high", "latency_ms_monitor"];
    for (mode, name) in LatencyMode::ALL.into_iter().zip(names) {
        let model = ModelSource::Bundle { bundle: Box::new(bundle.clone()), library: None }.in_mode(mode);
        match model.latency(&CorrectionSource::Adaptive, host_rate_hz, BLOCK_FRAMES) {
            Ok(latency) => {
                results.push((name, latency.total_ms()));
                let ms = |frames: usize| 1000.0 * frames as f64 / host_rate_hz;
                let parts: Vec<String> = latency
                    .parts
                    .iter()
                    .map(|part| format!("{} {:.1}", part.name, ms(part.frames)))
                    .collect();
                println!("  {name}: {}", parts.join(", "));
            }
            Err(error) => eprintln!("SKIPPED: {name}: {error}"),
        }
    }
}
