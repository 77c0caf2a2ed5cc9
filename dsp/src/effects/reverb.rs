//! Reverb send, of vocals and other unless a recipe says otherwise (paper section 3.4): the send is shelved at both ends,
//! convolved with a room, and added to the dry stem.
//!
//! By the paper's rules and the published ones it is an augmentation: it stands ahead of the chain, the same whatever is
//! measured, and a network learns to undo it. A recipe of kind [`Tributary`](crate::RecipeKind::Tributary) uses it as an
//! engineer does. There it stands behind width, and only what is dry gets it (`missing.rs`).

pub(crate) mod correction;
pub(crate) mod draw;
pub(crate) mod falls;
pub(crate) mod missing;
pub(crate) mod room;
pub(crate) mod send;

pub use draw::ReverbDraw;
pub use room::{ImpulseResponse, ImpulseResponseError, LONGEST_SECONDS, Room, RoomName};

use self::correction::ReverbCorrection;
use self::missing::Missing;
use self::send::ReverbSend;
use crate::amounts::Share;
use crate::context::Context;
use crate::effect::{Effect, Source};
use crate::findings::Findings;
use crate::hop::Hop;
use crate::profile::StemProfile;
use crate::reading::{ReverbReading, StemReading};
use crate::recipe::ReverbSetting;
use crate::session::Standing;
use crate::stem::Stem;
use crate::store::{StemStore, StoreError};

/// The reverb of one stem: nothing at all where the recipe sends nothing.
#[derive(Debug)]
pub(crate) struct Reverb {
    stem: Stem,
    sample_rate_hz: f64,
    /// Of the whole send, linear.
    gain: f32,
    send: Option<ReverbSend>,
    how_much: HowMuch,
    /// The share stays, whatever is heard.
    held: bool,
    findings: Findings,
    standing: Standing,
    /// Of the send, at the end of the last hop.
    share: f32,
    /// How much the engineer lets through.
    amount: Share,
}

/// How much of the send a stem gets.
#[derive(Debug)]
enum HowMuch {
    /// All of it.
    Everything,
    /// What was found on the complete stem; nothing until then.
    Fixed(Option<ReverbCorrection>),
    /// What is found while it plays.
    Followed(Box<Missing>),
}

impl Reverb {
    /// The send ahead of the chain: all that the recipe has for the stem.
    pub fn ahead(context: &Context, setting: &ReverbSetting) -> Self {
        Self::new(context, setting, HowMuch::Everything)
    }

    /// The send behind width: as much of it as the stem lacks.
    pub fn lacking(context: &Context, setting: &ReverbSetting, source: Source<'_>) -> Self {
        let how_much = match source {
            Source::Fixed(profile) => HowMuch::Fixed(profile.and_then(|profile| profile.reverb)),
            Source::Adaptive => {
                HowMuch::Followed(Box::new(Missing::new(context.stem, context.sample_rate_hz)))
            }
        };
        Self::new(context, setting, how_much)
    }

    fn new(context: &Context, setting: &ReverbSetting, how_much: HowMuch) -> Self {
        let mut reverb = Self {
            stem: context.stem,
            sample_rate_hz: context.sample_rate_hz,
            gain: setting.gain(context.stem).unwrap_or(0.0) as f32,
            send: ReverbSend::of(context.stem, setting, context.sample_rate_hz),
            how_much,
            held: false,
            findings: Findings::default(),
            standing: Standing::ALONE,
            share: 0.0,
            amount: Share::FULL,
        };
        reverb.share = reverb.first_share();
        reverb
    }

    /// Before the first hop.
    fn first_share(&self) -> f32 {
        match &self.how_much {
            HowMuch::Everything => 1.0,
            HowMuch::Fixed(correction) => correction.map_or(0.0, |correction| correction.share),
            HowMuch::Followed(_) => 0.0,
        }
    }
}

impl Effect for Reverb {
    fn name(&self) -> &'static str {
        "reverb"
    }

    fn is_on(&self) -> bool {
        self.send.is_some()
    }

    fn stand(&mut self, standing: Standing) {
        self.standing = standing;
    }

    fn heed(&mut self, findings: &Findings) {
        self.findings = *findings;
    }

    fn find(&mut self, store: &mut dyn StemStore) -> Result<(), StoreError> {
        let mut found = missing::correction(store, self.stem, &self.findings, self.sample_rate_hz)?;
        found.share *= self.standing.music() as f32;
        self.how_much = HowMuch::Fixed(Some(found));
        self.share = found.share;
        Ok(())
    }

    fn keep(&self, profile: &mut StemProfile) {
        profile.reverb = match self.how_much {
            HowMuch::Everything => None,
            HowMuch::Fixed(correction) => correction,
            HowMuch::Followed(_) => Some(ReverbCorrection { share: self.share }),
        };
    }

    fn start_at(&mut self, hop: i64) {
        self.send.iter_mut().for_each(|send| send.start_at(hop));
    }

    fn let_through(&mut self, share: Share) {
        self.amount = share;
    }

    fn hold(&mut self, held: bool) {
        self.held = held;
    }

    fn process(&mut self, hop: &mut Hop) {
        let Some(send) = &mut self.send else { return };
        let before = self.share;
        match &mut self.how_much {
            HowMuch::Followed(missing) => {
                missing.listen(hop);
                if !self.held {
                    self.share = missing.follow(&self.findings, self.standing.music() as f32);
                }
            }
            // Nothing will ever be sent.
            HowMuch::Fixed(_) if self.share == 0.0 => return,
            _ => {}
        }
        send.let_through(Share { start: before * self.amount.start, end: self.share * self.amount.end });
        send.process(hop);
    }

    fn pass_silence(&mut self) {
        self.send.iter_mut().for_each(ReverbSend::pass_silence);
    }

    fn read(&self, reading: &mut StemReading) {
        let sends = self.send.is_some() && self.share > 0.0 && !matches!(self.how_much, HowMuch::Everything);
        reading.reverb = sends.then_some(ReverbReading { send: self.gain * self.share * self.amount.end });
    }

    fn reset(&mut self) {
        self.send.iter_mut().for_each(ReverbSend::reset);
        if let HowMuch::Followed(missing) = &mut self.how_much {
            missing.forget();
            if !self.held {
                missing.let_go();
            }
        }
        self.findings = Findings::default();
        self.share = if self.held { self.share } else { self.first_share() };
    }
}
