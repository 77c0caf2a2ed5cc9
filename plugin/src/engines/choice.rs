//! Another model while the plug-in plays: a thread opens its files and starts an engine beside the one that runs, the audio
//! thread's player lets it listen along and crossfades to it, and [`Engines::settle`] notes what has become of that. Only
//! when the other model needs more latency than the host was told must the host restart the plug-in instead.

use super::playing::{Change, refusal};
use super::run::Run;
use super::{Engines, State, Step};
use crate::instance::{Activation, Instance};
use crate::models::ModelChoice;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tributary_engine::{AudioSide, EngineHandle, LearnedSong};

/// A change that is to be prepared on a thread of its own.
struct Order {
    choice: ModelChoice,
    activation: Activation,
    /// Number of the activation.
    number: u64,
    /// The latency that the host knows.
    latency_frames: usize,
    /// What was learned before.
    song: Option<LearnedSong>,
}

/// An engine that is not needed, to be dropped without the lock.
type Unneeded = (AudioSide, EngineHandle);

impl Engines {
    /// The user chooses a model.
    pub fn choose_model(self: &Arc<Self>, choice: ModelChoice) {
        let before = self.model.chosen();
        self.change_model(choice);
        let after = self.model.chosen();
        if after != before {
            self.did(Step::model(before, after));
        }
    }

    /// While the plug-in is active a thread of its own opens the model; a change at a time.
    pub(super) fn change_model(self: &Arc<Self>, choice: ModelChoice) {
        let song = self.learned.take_over();
        let before = self.model.chosen();
        let Some(order) = self.order(choice, &before, song) else { return };
        let engines = Arc::clone(self);
        if !self.spawn("tributary-model", move || drop(engines.prepare(order))) {
            self.restart_instead();
        }
    }

    /// Notes a choice; what has to be prepared for it, if anything.
    fn order(&self, choice: ModelChoice, before: &ModelChoice, song: Option<LearnedSong>) -> Option<Order> {
        let mut state = self.lock();
        let State { run, playing, activations, notice, .. } = &mut *state;
        *notice = None;
        let Some(playing) = playing else {
            self.model.choose(choice);
            return None;
        };
        if playing.change.is_some() || choice == *before {
            return None;
        }
        if run.as_ref().is_some_and(Run::is_learning) {
            *notice = Some("A song is being learned: stop that before choosing another model.".into());
            return None;
        }
        if self.model.in_force().as_ref() == Some(&choice) {
            self.model.choose(choice);
            return None;
        }
        playing.change = Some(Change::Opening(choice.clone()));
        self.model.choose_quietly(choice.clone());
        let (activation, number) = (playing.activation, *activations);
        let latency_frames = playing.control.latency_frames();
        Some(Order { choice, activation, number, latency_frames, song })
    }

    /// Opens the model and offers it to the player, on the thread.
    fn prepare(self: &Arc<Self>, order: Order) -> Option<Unneeded> {
        let Order { choice, activation, number, latency_frames, song } = order;
        let start = || Instance::start_beside(&activation, &self.models, &choice, latency_frames);
        let broken = |_| Err("An internal error stopped it.".to_owned());
        let opened = catch_unwind(AssertUnwindSafe(start)).unwrap_or_else(broken);
        let mut state = self.lock();
        // Deactivated meanwhile: the next activation opens the model itself.
        let Some(playing) = state.playing.as_mut().filter(|playing| playing.number == number) else {
            return opened.ok().map(|instance| (instance.audio, instance.handle));
        };
        match opened {
            Ok(Instance { audio, handle, facts }) => {
                let refused = song.and_then(|song| handle.learning().restore(song).err());
                match playing.control.offer(audio) {
                    Ok(()) => {
                        playing.change = Some(Change::Coming(choice, Box::new(self.run(handle, facts))));
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
                self.model.give_up();
                state.notice = Some(refusal(&choice, &reason));
                drop(state);
                self.choice_was_refused(&choice);
                None
            }
        }
    }

    /// The host must restart the plug-in for the chosen model.
    fn restart_instead(&self) {
        if let Some(playing) = &mut self.lock().playing {
            playing.change = None;
        }
        self.model.choose(self.model.chosen());
    }
}
