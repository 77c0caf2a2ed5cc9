//! The main thread's side of an active plug-in: the player's other end, and the change of model that is under way there.

use super::run::Run;
use crate::instance::Activation;
use crate::models::ModelChoice;
use tributary_engine::{AudioSide, EngineState, PlayerControl, Retired};

/// See the module.
pub(crate) struct Playing {
    pub(super) activation: Activation,
    pub(super) control: PlayerControl,
    pub(crate) change: Option<Change>,
    /// Number of the activation.
    pub(super) number: u64,
}

/// A change of model that is under way.
pub(crate) enum Change {
    /// The model's files are being opened.
    Opening(ModelChoice),
    /// Its engine is with the player.
    Coming(ModelChoice, Box<Run>),
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
        let Some(Change::Coming(choice, coming)) = self.change.take() else { return None };
        Some(match retired {
            Retired::Replaced(side) => Settled::Replaced(side, coming),
            Retired::Refused(side) => {
                let reason = match coming.telemetry.state() {
                    EngineState::Failed { reason } => reason,
                    _ => String::new(),
                };
                Settled::Refused(side, coming, refusal(&choice, &reason))
            }
        })
    }
}

impl Change {
    /// What the editor says.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Coming(choice, run) if run.telemetry.is_ready() => {
                format!("“{}” is ready and listens along; then it fades in.", choice.name())
            }
            Self::Opening(choice) | Self::Coming(choice, _) => format!("“{}” is loading.", choice.name()),
        }
    }
}

/// What the editor says of a model that did not come in.
pub(super) fn refusal(choice: &ModelChoice, reason: &str) -> String {
    format!("“{}” cannot be used, the model before it stays: {reason}", choice.name())
}
