//! The main thread's side of an active plug-in: the player's other end, and the change of model or targets that is under way
//! there.

use super::run::Run;
use crate::instance::Activation;
use tributary_engine::{AudioSide, EngineState, PlayerControl, Retired};

/// See the module.
pub(crate) struct Playing {
    pub(super) activation: Activation,
    pub(super) control: PlayerControl,
    pub(crate) change: Option<Change>,
    /// Number of the activation.
    pub(super) number: u64,
}

/// A change of model or targets that is under way, with the words for what comes.
pub(crate) enum Change {
    /// Its files are being opened.
    Opening(String),
    /// Its engine is with the player.
    Coming(String, Box<Run>),
}

/// What has come of a change: the engine's audio side that does not play any more, and the run of the other engine.
pub(super) enum Settled {
    /// The other engine plays.
    Replaced(AudioSide, Box<Run>),
    /// The engine before it goes on; why, in a sentence.
    Refused(AudioSide, Box<Run>, String),
}

impl Playing {
    /// What the player has done with the other engine, once.
    pub(super) fn collect(&mut self) -> Option<Settled> {
        let retired = self.control.collect()?;
        let Some(Change::Coming(words, coming)) = self.change.take() else { return None };
        Some(match retired {
            Retired::Replaced(side) => Settled::Replaced(side, coming),
            Retired::Refused(side) => {
                let reason = match coming.telemetry.state() {
                    EngineState::Failed { reason } => reason,
                    _ => String::new(),
                };
                Settled::Refused(side, coming, refusal(&words, &reason))
            }
        })
    }
}

impl Change {
    /// What the editor says.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Coming(words, run) if run.telemetry.is_ready() => {
                format!("{words} is ready and listens along; then it fades in.")
            }
            Self::Opening(words) | Self::Coming(words, _) => format!("{words} is loading."),
        }
    }
}

/// What the editor says of something that did not come in.
pub(super) fn refusal(words: &str, reason: &str) -> String {
    format!("{words} cannot be used, what was there before stays: {reason}")
}
