//! Undoing and doing again what the user did: keeps the [`Step`]s and puts back what they changed. Each marks the project as
//! changed, undoing as well. Values of parameters are set by the caller, through the host.

use super::Engines;
use super::steps::{Change, Step};
use crate::history::History;
use crate::instance::Chosen;
use crate::saved::Slot;
use crate::steering::Both;
use crate::values::Values;
use std::sync::{Arc, MutexGuard, PoisonError};

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
            self.did(Step::values(name, values));
        }
    }

    /// Puts values into a place for a snapshot, or empties it.
    pub fn store(&self, name: String, slot: Slot, values: Option<Values>) {
        let before = self.snapshots.get(slot);
        if before != values {
            self.snapshots.put(slot, values.clone());
            self.did(Step::snapshot(name, slot, Both { before, after: values }));
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

    /// Not while a song is being learned or something else comes in.
    pub(super) fn may_step(&self) -> bool {
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
            Change::Model(choice) => self.change(&Chosen { model: choice.after, ..self.chosen() }),
            Change::Targets(choice) => self.change(&Chosen { targets: choice.after, ..self.chosen() }),
            Change::Snapshot(slot, values) => self.snapshots.put(slot, values.after),
        }
        Values::default()
    }

    /// A step has come to nothing.
    pub(super) fn withdraw(&self, step: &Step) {
        self.history().withdraw(|last| last == step);
    }

    /// Something that was chosen cannot be used, and what was there before is chosen again.
    pub(super) fn choice_was_refused(&self, refused: &Chosen) {
        let kept = self.chosen();
        let is_it = |step: &Step| match &step.change {
            Change::Model(choice) => choice.after == refused.model && refused.model != kept.model,
            Change::Targets(choice) => choice.after == refused.targets && refused.targets != kept.targets,
            _ => false,
        };
        self.history().withdraw(is_it);
        if *refused != kept {
            self.host.project_changed();
        }
    }

    /// Nothing can be undone any more.
    pub(super) fn forget_steps(&self) {
        self.history().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::Files;
    use crate::models::ModelChoice;
    use crate::params::TributaryParams;

    fn values(gain_db: f32) -> Values {
        std::iter::once(("gain".to_owned(), gain_db)).collect()
    }

    fn moved(before: f32, after: f32) -> Both<Values> {
        Both { before: values(before), after: values(after) }
    }

    fn engines(params: &TributaryParams) -> Arc<Engines> {
        Engines::new(Files::default(), params)
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
        params.model.choose(ModelChoice::default());
        let refused = Chosen { model: broken, ..Chosen::default() };
        engines.choice_was_refused(&refused);
        assert_eq!(engines.steps()[0].as_deref(), Some("Snapshot A"));
        engines.choice_was_refused(&refused);
        assert_eq!(engines.steps()[0].as_deref(), Some("Snapshot A"), "another step");
        crate::saved::Learner::load(&*engines, None);
        assert_eq!(engines.steps(), [None, None]);
    }
}
