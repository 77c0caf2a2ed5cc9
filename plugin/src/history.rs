//! A history of steps that can be undone and done again. Pure: it knows neither what a step is nor how one is undone.

use std::collections::VecDeque;

/// Steps that are kept; of more the oldest are forgotten.
pub const STEPS_MAX: usize = 20;

/// What was done, and what was undone of it.
#[derive(Debug)]
pub struct History<S> {
    done: VecDeque<S>,
    undone: Vec<S>,
}

impl<S> Default for History<S> {
    fn default() -> Self {
        Self { done: VecDeque::new(), undone: Vec::new() }
    }
}

impl<S: Clone> History<S> {
    /// A step was done. What was undone before it cannot be done again.
    pub fn push(&mut self, step: S) {
        self.undone.clear();
        self.keep(step);
    }

    /// The step that an undo would undo.
    pub fn last(&self) -> Option<&S> {
        self.done.back()
    }

    /// The step that a redo would do again.
    pub fn next(&self) -> Option<&S> {
        self.undone.last()
    }

    /// Takes the latest step back; the caller undoes it.
    pub fn undo(&mut self) -> Option<S> {
        let step = self.done.pop_back()?;
        self.undone.push(step.clone());
        Some(step)
    }

    /// Returns to the step that was undone last; the caller does it again.
    pub fn redo(&mut self) -> Option<S> {
        let step = self.undone.pop()?;
        self.keep(step.clone());
        Some(step)
    }

    /// The latest step has come to nothing, if it is one of these.
    pub fn withdraw(&mut self, is_it: impl FnOnce(&S) -> bool) {
        if self.done.back().is_some_and(is_it) {
            self.done.pop_back();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn keep(&mut self, step: S) {
        self.done.push_back(step);
        if self.done.len() > STEPS_MAX {
            self.done.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_undone_backwards_and_done_again_forwards() {
        let mut history = History::default();
        assert_eq!((history.undo(), history.redo()), (None::<u32>, None));
        (1..=3).for_each(|step| history.push(step));
        assert_eq!((history.last(), history.next()), (Some(&3), None));
        assert_eq!((history.undo(), history.undo()), (Some(3), Some(2)));
        assert_eq!((history.last(), history.next()), (Some(&1), Some(&2)));
        assert_eq!((history.redo(), history.redo(), history.redo()), (Some(2), Some(3), None));
        assert_eq!(history.last(), Some(&3));
    }

    #[test]
    fn a_new_step_takes_the_place_of_what_was_undone() {
        let mut history = History::default();
        (1..=3).for_each(|step| history.push(step));
        history.undo();
        history.undo();
        history.push(4);
        assert_eq!(
            (history.redo(), history.undo(), history.undo(), history.undo()),
            (None, Some(4), Some(1), None)
        );
    }

    #[test]
    fn twenty_steps_are_kept() {
        let mut history = History::default();
        (0..50).for_each(|step| history.push(step));
        let undone: Vec<u32> = std::iter::from_fn(|| history.undo()).collect();
        assert_eq!(undone, (30..50).rev().collect::<Vec<_>>());
        assert_eq!(std::iter::from_fn(|| history.redo()).count(), STEPS_MAX);
    }

    #[test]
    fn only_the_latest_step_is_withdrawn() {
        let mut history = History::default();
        (1..=2).for_each(|step| history.push(step));
        history.withdraw(|step| *step == 1);
        assert_eq!(history.last(), Some(&2));
        history.withdraw(|step| *step == 2);
        assert_eq!((history.last(), history.next()), (Some(&1), None));
        history.clear();
        assert_eq!(history.last(), None);
    }
}
