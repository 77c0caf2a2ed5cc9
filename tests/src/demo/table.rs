//! The figures as a table for the terminal.

use std::fmt::Write;

use crate::measurements::Measurements;

/// Renders all figures, a line each, ending in a line break.
pub fn render(measurements: &Measurements) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_table(&mut text, measurements);
    text
}

fn write_table(text: &mut String, measurements: &Measurements) -> std::fmt::Result {
    writeln!(text)?;
    writeln!(text, "stem     before   after normalization   in the mix: gain   loudness relative to it")?;
    for figures in &measurements.stems {
        writeln!(
            text,
            "{:<8} {:>6}   {:>6} LUFS           {:>6} dB          {:>6} LU",
            figures.stem.name(),
            number(figures.played_lufs),
            number(figures.normalized_lufs),
            number(figures.gain_db),
            number(figures.relative_lu),
        )?;
    }
    let (latency_frames, latency_ms) = measurements.latency;
    writeln!(text)?;
    writeln!(text, "mix               {:>8} LUFS-I", number(measurements.mix_lufs))?;
    writeln!(text, "true peak         {:>8} dBTP", number(measurements.mix_dbtp))?;
    writeln!(
        text,
        "not explained     {:>8} dB of the mix by any stem as it came in",
        number(finite(measurements.unexplained_db))
    )?;
    writeln!(
        text,
        "latency           {latency_frames:>8} samples, {latency_ms:.1} ms at {} Hz",
        measurements.rate_hz
    )?;
    writeln!(
        text,
        "real-time factor  {:>8.3} for {:.1} s of audio",
        measurements.real_time_factor, measurements.length_s
    )?;
    let underruns = measurements.underruns.map_or_else(|| "–".to_owned(), |count| count.to_string());
    writeln!(text, "underruns         {underruns:>8}")
}

fn finite(value: f64) -> Option<f64> {
    Some(value).filter(|value| value.is_finite())
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurements::StemFigures;
    use tributary_dsp::Stem;

    #[test]
    fn shows_every_stem_and_a_dash_for_what_is_silent() {
        let stems = Stem::ALL.map(|stem| StemFigures {
            stem,
            played_lufs: (stem != Stem::Bass).then_some(-20.0),
            normalized_lufs: (stem != Stem::Bass).then_some(-18.0),
            gain_db: (stem != Stem::Bass).then_some(2.0),
            relative_lu: (stem != Stem::Bass).then_some(-6.0),
        });
        let text = render(&Measurements {
            stems: stems.into(),
            mix_lufs: Some(-14.2),
            mix_dbtp: Some(-0.94),
            unexplained_db: -12.0,
            latency: (9600, 200.0),
            rate_hz: 48_000,
            length_s: 20.0,
            real_time_factor: 0.25,
            underruns: Some(0),
        });
        assert!(Stem::ALL.iter().all(|stem| text.contains(stem.name())));
        let bass = text.lines().find(|line| line.starts_with("bass")).unwrap();
        assert_eq!(bass.matches('–').count(), 4, "{bass}");
        assert!(text.contains("9600 samples, 200.0 ms at 48000 Hz") && text.contains("-14.2 LUFS-I"));
    }
}
