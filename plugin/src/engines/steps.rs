//! What the user does beside turning parameters, as steps that can be undone: learning and forgetting, another model,
//! snapshots, presets. A step knows what it changed and nothing else, so that undoing it leaves alone what was done by hand
//! since. Each marks the project as changed, undoing as well.

use super::Engines;
use crate::history::History;
use crate::models::ModelChoice;
use crate::saved::{Learned, Slot};
use crate::steering::Both;
use crate::values::Values;
use std::sync::{Arc, MutexGuard, PoisonError};

/// Something that was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What the user calls it: “Learn”, “Snapshot B”.
    pub name: String,
    change: Change,
}

#[derive(Debug, Clone, PartialEq)]
enum Change {
    /// Parameters were set. Only those that moved.
    Values(Both<Values>),
    /// Another profile is in force, or none.
    Learned(Both<Learned>),
    /// Another model was chosen.
    Model(Both<ModelChoice>),
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
}

impl Engines {
    fn history(&self) -> MutexGuard<'_, History<Step>> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was done.
    pub(super) fn did(&self, step: Step) {
        self.history().push(step);
        self.host.project_changed();
    }

    /// Parameters were set together, through the host; nothing is noted when none has moved.
    pub fn have_set(&self, name: String, values: Both<Values>) {
        if !values.after.is_empty() {
            self.did(Step { name, change: Change::Values(values) });
        }
    }

    /// Puts values into a place for a snapshot, or empties it.
    pub fn store(&self, name: String, slot: Slot, values: Option<Values>) {
        let before = self.snapshots.get(slot);
        if before != values {
            self.snapshots.put(slot, values.clone());
            self.did(Step { name, change: Change::Snapshot(slot, Both { before, after: values }) });
        }
    }

    /// Names of what an undo would undo and a redo would do again, as far as either is possible now: not while a song is
    /// being learned or a model comes in.
    pub fn steps(&self) -> [Option<String>; 2] {
        if !self.may_step() {
            return [None, None];
        }
        let history = self.history();
        [history.last(), history.next()].map(|step| step.map(|step| step.name.clone()))
    }

    /// Undoes the latest step. Returns values that the caller is to set through the host.
    pub fn undo(self: &Arc<Self>) -> Values {
        let step = if self.may_step() { self.history().undo() } else { None };
        step.map_or_else(Values::default, |step| self.make(step.change.reversed()))
    }

    /// Does the step again that was undone last. Returns values that the caller is to set through the host.
    pub fn redo(self: &Arc<Self>) -> Values {
        let step = if self.may_step() { self.history().redo() } else { None };
        step.map_or_else(Values::default, |step| self.make(step.change))
    }

    fn may_step(&self) -> bool {
        !self.is_learning() && self.lock().playing.as_ref().is_none_or(|playing| playing.change.is_none())
    }

    fn make(self: &Arc<Self>, change: Change) -> Values {
        self.host.project_changed();
        match change {
            Change::Values(values) => return values.after,
            Change::Learned(learned) => {
                self.learned.hold(learned.after.clone());
                let refused = self.restore(learned.after.as_deref().cloned());
                self.learned.set_notice(refused);
            }
            Change::Model(choice) => self.change_model(choice.after),
            Change::Snapshot(slot, values) => self.snapshots.put(slot, values.after),
        }
        Values::default()
    }

    /// A model that was chosen cannot be used.
    pub(super) fn choice_was_refused(&self, refused: &ModelChoice) {
        let is_it = |step: &Step| matches!(&step.change, Change::Model(choice) if choice.after == *refused);
        self.history().withdraw(is_it);
        self.host.project_changed();
    }

    /// Nothing can be undone any more.
    pub(super) fn forget_steps(&self) {
        self.history().clear();
    }
}

impl Change {
    fn reversed(self) -> Self {
        match self {
            Self::Values(both) => Self::Values(both.reversed()),
            Self::Learned(both) => Self::Learned(both.reversed()),
            Self::Model(both) => Self::Model(both.reversed()),
            Self::Snapshot(slot, both) => Self::Snapshot(slot, both.reversed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Models;
    use crate::params::TributaryParams;

    fn values(gain_db: f32) -> Values {
        std::iter::once(("gain".to_owned(), gain_db)).collect()
    }

    fn moved(before: f32, after: f32) -> Both<Values> {
        Both { before: values(before), after: values(after) }
    }

    fn engines(params: &TributaryParams) -> Arc<Engines> {
        Engines::new(Models::default(), params)
    }

    #[test]
    fn steps_are_undone_one_by_one_and_each_is_a_change_of_the_project() {
        let params = TributaryParams::default();
        let engines = engines(&params);
        let choice = |name| ModelChoice::new(name).expect("a name");
        engines.store("Store A".into(), Slot::A, Some(values(1.0)));
        engines.choose_model(choice("small"));
        engines.have_set("Preset Gentle".into(), moved(0.0, 3.0));
        engines.have_set("Nothing".into(), Both::default());
        engines.store("Store A".into(), Slot::A, Some(values(1.0)));
        assert_eq!(engines.host().changes(), 3);
        assert_eq!(engines.steps(), [Some("Preset Gentle".into()), None]);

        assert_eq!(engines.undo(), values(0.0), "for the host to set");
        assert_eq!(engines.undo(), Values::default());
        assert_eq!(params.model.chosen(), ModelChoice::default());
        assert_eq!(engines.undo(), Values::default());
        assert_eq!(params.snapshots.get(Slot::A), None);
        assert_eq!((engines.undo(), engines.host().changes()), (Values::default(), 6), "there is no more");
        assert_eq!(engines.steps(), [None, Some("Store A".into())]);

        engines.redo();
        assert_eq!(params.snapshots.get(Slot::A), Some(values(1.0)));
        engines.redo();
        assert_eq!(params.model.chosen(), choice("small"));
        assert_eq!(engines.redo(), values(3.0));
        assert_eq!(engines.steps(), [Some("Preset Gentle".into()), None]);
    }

    #[test]
    fn a_refused_model_leaves_no_step_and_a_loaded_project_none_at_all() {
        let params = TributaryParams::default();
        let engines = engines(&params);
        let broken = ModelChoice::new("broken").expect("a name");
        engines.have_set("Snapshot A".into(), moved(0.0, 1.0));
        engines.choose_model(broken.clone());
        engines.choice_was_refused(&broken);
        assert_eq!(engines.steps()[0].as_deref(), Some("Snapshot A"));
        engines.choice_was_refused(&broken);
        assert_eq!(engines.steps()[0].as_deref(), Some("Snapshot A"), "another step");
        crate::saved::Learner::load(&*engines, None);
        assert_eq!(engines.steps(), [None, None]);
    }
}
