//! Opens a model bundle and says what is in it: nothing is loaded, and no ONNX Runtime is needed.
//!
//! `cargo run --release -p tributary-engine --example load_bundle -- assets/models/default`

use std::error::Error;

use tributary_dsp::Stem;
use tributary_engine::{LatencyMode, ModelBundle};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "assets/models/default".into());
    let bundle = ModelBundle::open(&folder)?;
    println!("{}, trained on: {}", bundle.contract().name, bundle.contract().trained_on);
    for stem in Stem::ALL {
        println!("  {stem} is brought to {:.1} LUFS", bundle.targets().stem(stem).loudness_lufs);
    }
    for mode in LatencyMode::ALL {
        let window = ModelBundle::open(&folder)?.in_mode(mode).geometry();
        println!(
            "  {}: hops of {} frames, {} of future",
            mode.name(),
            window.hop_frames,
            window.lookahead_frames
        );
    }
    Ok(())
}
