//! Writes the generated rooms as 24-bit WAV files at 44.1 kHz: `cargo run --release -p tributary-dsp --example rooms -- assets/ir`.
//! The normalizer generates them itself at its own rate; the files are for other programs, and to be listened to.
use std::error::Error;
use std::path::Path;

use tributary_dsp::reverb::{ImpulseResponse, RoomName};

const RATE_HZ: u32 = 44_100;
const FULL_SCALE: f32 = 8_388_608.0;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: rooms FOLDER")?;
    for name in RoomName::ALL {
        let room = name.room();
        let response = ImpulseResponse::generate(&room, f64::from(RATE_HZ));
        let path = Path::new(&folder).join(name.name()).with_extension("wav");
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: RATE_HZ,
            bits_per_sample: 24,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(&path, spec)?;
        let [left, right] = response.sides();
        for sample in left.iter().zip(right).flat_map(|(left, right)| [left, right]) {
            writer.write_sample((sample * FULL_SCALE).round().clamp(-FULL_SCALE, FULL_SCALE - 1.0) as i32)?;
        }
        writer.finalize()?;
        println!(
            "{} {:.1} s, RT60 {:?} s (low, middle, high)",
            path.display(),
            room.seconds,
            room.rt60_seconds
        );
    }
    Ok(())
}
