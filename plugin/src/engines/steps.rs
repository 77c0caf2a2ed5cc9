//! What the user does beside turning parameters, as steps that can be undone: learning and forgetting, another model, other
//! targets, snapshots, presets. A step knows what it changed and nothing else, so that undoing it leaves alone what was done
//! by hand since.

use crate::models::ModelChoice;
use crate::saved::{Learned, Slot};
use crate::steering::Both;
use crate::targets::TargetsChoice;
use crate::values::Values;

/// Something that was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What the user calls it: “Learn”, “Snapshot B”.
    pub name: String,
    pub(super) change: Change,
}

/// What a step changed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// Parameters were set. Only those that moved.
    Values(Both<Values>),
    /// Another profile is in force, or none.
    Learned(Both<Learned>),
    /// Another model was chosen.
    Model(Both<ModelChoice>),
    /// Other targets were chosen.
    Targets(Both<TargetsChoice>),
    /// A place for a snapshot holds something else.
    Snapshot(Slot, Both<Option<Values>>),
}

impl Step {
    pub(super) fn learned(name: &str, before: Learned, after: Learned) -> Self {
        Self { name: name.into(), change: Change::Learned(Both { before, after }) }
    }

    pub(super) fn model(before: ModelChoice, after: ModelChoice) -> Self {
        Self { name: format!("Model {}", after.name()), change: Change::Model(Both { before, after }) }
    }

    pub(super) fn targets(before: TargetsChoice, after: TargetsChoice) -> Self {
        Self { name: format!("Targets {}", after.name()), change: Change::Targets(Both { before, after }) }
    }

    /// Parameters were set together.
    pub(super) fn values(name: String, values: Both<Values>) -> Self {
        Self { name, change: Change::Values(values) }
    }

    /// A place for a snapshot got other values, or none.
    pub(super) fn snapshot(name: String, slot: Slot, values: Both<Option<Values>>) -> Self {
        Self { name, change: Change::Snapshot(slot, values) }
    }
}

impl Change {
    /// What undoing it changes.
    pub(super) fn reversed(self) -> Self {
        match self {
            Self::Values(both) => Self::Values(both.reversed()),
            Self::Learned(both) => Self::Learned(both.reversed()),
            Self::Model(both) => Self::Model(both.reversed()),
            Self::Targets(both) => Self::Targets(both.reversed()),
            Self::Snapshot(slot, both) => Self::Snapshot(slot, both.reversed()),
        }
    }
}
