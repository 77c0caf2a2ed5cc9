//! Another model or other targets while the plug-in plays: a thread opens the files and starts an engine beside the one that
//! runs, the audio thread's player lets it listen along and crossfades to it, and [`Engines::settle`] notes what has become
//! of that. Only when the other model needs more latency than the host was told must the host restart the plug-in instead.

use super::playing::{Change, refusal};
use super::run::Run;
use super::{Engines, State, Step};
use crate::instance::{Activation, Chosen, Instance};
use crate::models::ModelChoice;
use crate::targets::TargetsChoice;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tributary_dsp::SongProfile;
use tributary_engine::{AudioSide, EngineHandle, LearnedSong};

/// A change that is to be prepared on a thread of its own.
struct Order {
    chosen: Chosen,
    /// What of it is new.
    words: String,
    activation: Activation,
    /// Number of the activation.
    number: u64,
    /// The latency that the host knows.
    latency_frames: usize,
    /// What was learned before.
    song: Option<LearnedSong>,
    /// What stems are locked at.
    locked: SongProfile,
}

/// An engine that is not needed, to be dropped without the lock.
type Unneeded = (AudioSide, EngineHandle);

impl Engines {
    /// The user chooses a model.
    pub fn choose_model(self: &Arc<Self>, model: ModelChoice) {
        let step = Step::model(self.model.chosen(), model.clone());
        self.choose(step, &Chosen { model, ..self.chosen() });
    }

    /// The user chooses targets.
    pub fn choose_targets(self: &Arc<Self>, targets: TargetsChoice) {
        let step = Step::targets(self.targets.chosen(), targets.clone());
        self.choose(step, &Chosen { targets, ..self.chosen() });
    }

    /// Notes the step first: what was chosen may turn out to be broken before this returns, and the step is withdrawn then.
    fn choose(self: &Arc<Self>, step: Step, chosen: &Chosen) {
        let before = self.chosen();
        let is_step = *chosen != before && self.may_step();
        if is_step {
            self.did(step.clone());
        }
        self.change(chosen);
        if is_step && self.chosen() == before {
            self.withdraw(&step);
        }
    }

    /// What is chosen now.
    pub(super) fn chosen(&self) -> Chosen {
        Chosen { model: self.model.chosen(), targets: self.targets.chosen() }
    }

    /// While the plug-in is active a thread of its own opens what is new; a change at a time.
    pub(super) fn change(self: &Arc<Self>, chosen: &Chosen) {
        let song = self.learned.take_over();
        let order = self.order(chosen, song);
        self.prepare_beside(order);
    }

    /// Looks whether a file has come back that was missing, and changes to it, or says why not: once. Reads folders.
    pub fn look_again(self: &Arc<Self>) {
        let is_missing = |run: &Run| run.is_running() && run.facts.is_missing;
        let chosen = self.chosen();
        if !self.lock().run.as_ref().is_some_and(is_missing) || !self.files.have(&chosen) {
            return;
        }
        let song = self.learned.take_over();
        let mut state = self.lock();
        let is_learning = state.run.as_ref().is_some_and(Run::is_learning);
        let State { playing: Some(playing), run: Some(run), activations, .. } = &mut *state else { return };
        if playing.change.is_some() || is_learning {
            return;
        }
        run.facts.is_missing = false;
        let words = "What was missing".to_owned();
        playing.change = Some(Change::Opening(words.clone()));
        let (activation, number) = (playing.activation, *activations);
        let latency_frames = playing.control.latency_frames();
        let locked = run.telemetry.locked();
        drop(state);
        self.prepare_beside(Some(Order { chosen, words, activation, number, latency_frames, song, locked }));
    }

    fn prepare_beside(self: &Arc<Self>, order: Option<Order>) {
        let Some(order) = order else { return };
        let engines = Arc::clone(self);
        if !self.spawn("tributary-model", move || drop(engines.prepare(order))) {
            self.restart_instead();
        }
    }

    /// Notes a choice; what has to be prepared for it, if anything.
    fn order(&self, chosen: &Chosen, song: Option<LearnedSong>) -> Option<Order> {
        let before = self.chosen();
        let mut state = self.lock();
        let State { run, playing, activations, notice, .. } = &mut *state;
        *notice = None;
        let Some(playing) = playing else {
            self.note(chosen, &before);
            return None;
        };
        if playing.change.is_some() || *chosen == before {
            return None;
        }
        if run.as_ref().is_some_and(Run::is_learning) {
            *notice = Some("A song is being learned: stop that before choosing something else.".into());
            return None;
        }
        if (self.model.in_force(), self.targets.in_force())
            == (Some(chosen.model.clone()), Some(chosen.targets.clone()))
        {
            self.note(chosen, &before);
            return None;
        }
        let words = chosen.words(&before);
        playing.change = Some(Change::Opening(words.clone()));
        if chosen.model != before.model {
            self.model.choose_quietly(chosen.model.clone());
        }
        if chosen.targets != before.targets {
            self.targets.choose_quietly(chosen.targets.clone());
        }
        let (activation, number) = (playing.activation, *activations);
        let latency_frames = playing.control.latency_frames();
        let locked = run.as_ref().map(|run| run.telemetry.locked()).unwrap_or_default();
        Some(Order { chosen: chosen.clone(), words, activation, number, latency_frames, song, locked })
    }

    /// The choice counts with the next activation. What stays as it is may be unreadable here, and is not given up.
    fn note(&self, chosen: &Chosen, before: &Chosen) {
        if chosen.model != before.model {
            self.model.choose(chosen.model.clone());
        }
        if chosen.targets != before.targets {
            self.targets.choose(chosen.targets.clone());
        }
    }

    /// Opens what was chosen and offers it to the player, on the thread.
    fn prepare(self: &Arc<Self>, order: Order) -> Option<Unneeded> {
        let Order { chosen, words, activation, number, latency_frames, song, locked } = order;
        let start = || Instance::start_beside(&activation, &self.files, &chosen, latency_frames);
        let broken = |_| Err("An internal error stopped it.".to_owned());
        let opened = catch_unwind(AssertUnwindSafe(start)).unwrap_or_else(broken);
        let mut state = self.lock();
        // Deactivated meanwhile: the next activation opens the files itself.
        let Some(playing) = state.playing.as_mut().filter(|playing| playing.number == number) else {
            return opened.ok().map(|instance| (instance.audio, instance.handle));
        };
        match opened {
            Ok(Instance { audio, handle, facts }) => {
                let refused = song.and_then(|song| handle.learning().restore(song).err());
                handle.lock_at(locked);
                match playing.control.offer(audio) {
                    Ok(()) => {
                        playing.change = Some(Change::Coming(words, Box::new(self.run(handle, facts))));
                        state.notice = refused;
                        None
                    }
                    Err(audio) => {
                        drop(state);
                        self.restart_instead();
                        Some((audio, handle))
                    }
                }
            }
            Err(reason) => {
                playing.change = None;
                state.notice = Some(refusal(&words, &reason));
                drop(state);
                self.give_up();
                None
            }
        }
    }

    /// What was chosen cannot be used: what is in force is chosen again.
    pub(super) fn give_up(&self) {
        let refused = self.chosen();
        self.model.give_up();
        self.targets.give_up();
        self.choice_was_refused(&refused);
    }

    /// The host must restart the plug-in for what was chosen.
    fn restart_instead(&self) {
        if let Some(playing) = &mut self.lock().playing {
            playing.change = None;
        }
        if self.model.is_pending() {
            self.model.choose(self.model.chosen());
        }
        if self.targets.is_pending() {
            self.targets.choose(self.targets.chosen());
        }
    }
}
