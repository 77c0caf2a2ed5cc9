//! What was decided about a stem, as a sentence for people: in the command line's table, in reports, and on the editor's strip.

use crate::effects::equalization::faults::Fault;
use crate::reading::StemReading;
use crate::session::{BLEED_LU, GainLimit, LARGEST_GAIN_DB};

/// A filter that changes less is none, in dB.
const UNHEARD_DB: f32 = 0.5;
/// A send that nobody hears, linear.
const UNHEARD_SEND: f32 = 0.03;
/// Less side than this is none, linear.
const NO_SIDE: f32 = 0.01;

impl Fault {
    /// A word for it, lower case.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Muffled => "muffled",
            Fault::Thin => "thin",
            Fault::Boomy => "boomy",
            Fault::Harsh => "harsh",
            Fault::Bright => "too bright",
        }
    }
}

impl StemReading {
    /// What is done to the stem and why, without a full stop: "muffled: EQ −2 to +14 dB; mono: side at −15 dB; level +3.2 dB".
    pub fn decision(&self) -> String {
        let Some(loudness) = self.loudness else { return "nothing heard yet, or level off".into() };
        let level = format!("level {}", signed_db(loudness.gain_db, 1));
        if loudness.limit == Some(GainLimit::Bleed) {
            return format!(
                "bleed, about {:.0} LU or more below the loudest stem: not raised ({level})",
                -BLEED_LU
            );
        }
        let mut parts = Vec::new();
        if let Some(equalization) =
            self.equalization.filter(|found| found.range_db.iter().any(|db| db.abs() > UNHEARD_DB))
        {
            let fault = equalization.fault.map_or("tone".into(), |fault| fault.name().to_owned());
            let [cut, boost] = equalization.range_db.map(|db| signed(db, 0));
            parts.push(format!("{fault}: EQ {cut} to {boost} dB"));
        }
        if let Some(dynamics) = self.dynamics.filter(|dynamics| dynamics.ratio > 1.0) {
            parts.push(format!("compressed {:.1}:1", dynamics.ratio));
        }
        if let Some(panning) = self.panning.filter(|panning| panning.side != 0.0) {
            parts.push(format!("moved {}", if panning.side < 0.0 { "left" } else { "right" }));
        }
        if let Some(panning) = self.panning.filter(|panning| panning.balance_db.abs() > UNHEARD_DB) {
            let (leans, other) = if panning.balance_db > 0.0 { ("left", "right") } else { ("right", "left") };
            parts.push(format!("leans {leans}: {other} {}", signed_db(panning.balance_db.abs(), 1)));
        }
        if let Some(width) = self.width.filter(|width| width.added_side > NO_SIDE) {
            parts.push(format!("mono: side at {}", signed_db(20.0 * width.added_side.log10(), 0)));
        }
        if let Some(reverb) = self.reverb.filter(|reverb| reverb.send > UNHEARD_SEND) {
            parts.push(format!("dry: room at {}", signed_db(20.0 * reverb.send.log10(), 0)));
        }
        if parts.is_empty() {
            parts.push("as it came".into());
        }
        parts.push(level);
        if loudness.limit == Some(GainLimit::Bound) {
            parts.push(format!("no more than {LARGEST_GAIN_DB:.0} dB beside the session's gain"));
        }
        parts.join("; ")
    }
}

fn signed_db(db: f32, digits: usize) -> String {
    format!("{} dB", signed(db, digits))
}

/// A number with its sign; −0 reads as +0.
fn signed(db: f32, digits: usize) -> String {
    let text = format!("{db:+.digits$}");
    let text =
        if text.trim_start_matches(['+', '-', '0', '.']).is_empty() { text.replace('-', "+") } else { text };
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{EqualizationReading, LoudnessReading, ReverbReading, WidthReading};

    fn stem(gain_db: f32, limit: Option<GainLimit>) -> StemReading {
        StemReading { loudness: Some(LoudnessReading { gain_db, limit }), ..StemReading::default() }
    }

    #[test]
    fn every_decision_has_its_reason() {
        assert_eq!(stem(3.24, None).decision(), "as it came; level +3.2 dB");
        assert_eq!(stem(-0.01, None).decision(), "as it came; level +0.0 dB");
        assert!(stem(2.0, Some(GainLimit::Bleed)).decision().starts_with("bleed"));
        assert!(stem(44.0, Some(GainLimit::Bound)).decision().ends_with("beside the session's gain"));
        let equalization =
            Some(EqualizationReading { gain_db: 0.0, fault: Some(Fault::Muffled), range_db: [-1.6, 14.2] });
        let width = Some(WidthReading { added_side: 0.178 });
        let reverb = Some(ReverbReading { send: 0.5 });
        let both = StemReading { equalization, width, reverb, ..stem(-3.0, None) };
        assert_eq!(
            both.decision(),
            "muffled: EQ \u{2212}2 to +14 dB; mono: side at \u{2212}15 dB; dry: room at \u{2212}6 dB; level \u{2212}3.0 dB"
        );
        assert!(StemReading::default().decision().starts_with("nothing"));
    }
}
