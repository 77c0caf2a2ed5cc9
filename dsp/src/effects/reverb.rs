//! Reverb send, of vocals and other unless a recipe says otherwise, ahead of the chain (paper section 3.4): the send is
//! shelved at both ends, convolved with a room, and added to the dry stem.

pub(crate) mod draw;
pub(crate) mod room;
pub(crate) mod send;

pub use draw::ReverbDraw;
pub use room::{ImpulseResponse, ImpulseResponseError, LONGEST_SECONDS, Room, RoomName};

use self::send::ReverbSend;
use crate::amounts::Share;
use crate::context::Context;
use crate::effect::Effect;
use crate::hop::Hop;
use crate::recipe::ReverbSetting;

/// The reverb of one stem: the same whatever is measured, and nothing at all where the recipe sends nothing.
#[derive(Debug)]
pub(crate) struct Reverb(Option<ReverbSend>);

impl Reverb {
    /// The send that the recipe has for the stem.
    pub fn new(context: &Context, setting: &ReverbSetting) -> Self {
        Self(ReverbSend::of(context.stem, setting, context.sample_rate_hz))
    }
}

impl Effect for Reverb {
    fn name(&self) -> &'static str {
        "reverb"
    }

    fn is_on(&self) -> bool {
        self.0.is_some()
    }

    fn start_at(&mut self, hop: i64) {
        self.0.iter_mut().for_each(|send| send.start_at(hop));
    }

    fn let_through(&mut self, share: Share) {
        self.0.iter_mut().for_each(|send| send.let_through(share));
    }

    fn process(&mut self, hop: &mut Hop) {
        self.0.iter_mut().for_each(|send| send.process(hop));
    }

    fn pass_silence(&mut self) {
        self.0.iter_mut().for_each(ReverbSend::pass_silence);
    }

    fn reset(&mut self) {
        self.0.iter_mut().for_each(ReverbSend::reset);
    }
}
