//! Another model while the plug-in plays: a thread opens its files and starts an engine beside the one that runs, the audio
//! thread's deck lets it listen along and crossfades to it, and here is kept what has become of that. Only when the other
//! model needs more latency than the host was told must the host restart the plug-in instead.

use crate::instance::{Activation, Instance};
use crate::learned::LearnedField;
use crate::models::ModelChoice;
use crate::monitor::{Monitor, Run, State};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tributary_engine::{
    AudioSide, EngineHandle, EngineState, LearnedProfile, LearningPhase, PlayerControl, Retired,
};

/// The main thread's side of an active plug-in.
pub(crate) struct Playing {
    pub(crate) activation: Activation,
    pub(crate) control: PlayerControl,
    pub(crate) change: Option<Change>,
    /// Number of the activation.
    pub(crate) number: u64,
}

/// A change of model that is under way.
pub(crate) enum Change {
    /// The model's files are being opened.
    Opening(ModelChoice),
    /// Its engine is with the deck.
    Coming(ModelChoice, Box<Run>),
}

/// An engine that does not play any more.
type Ended = (AudioSide, Option<EngineHandle>);

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

impl Monitor {
    /// The user chooses a model. While the plug-in is active a thread of its own opens it; a change at a time.
    pub fn choose_model(self: &Arc<Self>, choice: ModelChoice, learned: &LearnedField) {
        let profile = learned.take_over();
        let mut state = self.lock();
        state.notice = None;
        let is_learning = state.run.as_ref().is_some_and(|run| {
            matches!(run.learning.status().phase, LearningPhase::Listening | LearningPhase::Analyzing)
        });
        let State { playing, activations, notice, .. } = &mut *state;
        let is_new = choice != self.chosen.chosen();
        let Some(playing) = playing else {
            self.chosen.choose(choice);
            drop(state);
            return self.changed_if(is_new);
        };
        if playing.change.is_some() || !is_new {
            return;
        }
        if is_learning {
            *notice = Some("A song is being learned: stop that before choosing another model.".into());
            return;
        }
        if self.chosen.in_force().as_ref() == Some(&choice) {
            self.chosen.choose(choice);
            drop(state);
            return self.changed_if(is_new);
        }
        playing.change = Some(Change::Opening(choice.clone()));
        self.chosen.choose_quietly(choice.clone());
        let (activation, number) = (playing.activation, *activations);
        let latency_frames = playing.control.latency_frames();
        drop(state);
        self.changed_if(is_new);
        let monitor = Arc::clone(self);
        let open = move || {
            let start = || Instance::start_beside(&activation, monitor.models(), &choice, latency_frames);
            let broken = |_| Err("An internal error stopped it.".to_owned());
            let opened = catch_unwind(AssertUnwindSafe(start)).unwrap_or_else(broken);
            drop(monitor.opened(number, choice, opened, profile));
        };
        if !self.spawn("tributary-model", open) {
            self.restart_instead();
        }
    }

    /// The project is another one now.
    fn changed_if(&self, is_new: bool) {
        if is_new {
            self.host().project_changed();
        }
    }

    /// Starts a thread that ends before the activation does. Without one the work is dropped.
    fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> bool {
        let spawned = std::thread::Builder::new().name(name.into()).spawn(work);
        let mut state = self.lock();
        state.threads.retain(|thread| !thread.is_finished());
        let started = spawned.is_ok();
        state.threads.extend(spawned);
        started
    }

    /// Offers the opened model to the deck. Returns what is not needed, to be dropped without the lock.
    fn opened(
        self: &Arc<Self>,
        number: u64,
        choice: ModelChoice,
        opened: Result<Instance, String>,
        profile: Option<LearnedProfile>,
    ) -> Option<Ended> {
        let mut state = self.lock();
        let State { playing, notice, .. } = &mut *state;
        let Instance { audio, handle, facts } = match (playing, opened) {
            (Some(playing), Ok(instance)) if playing.number == number => instance,
            (Some(playing), Err(reason)) if playing.number == number => {
                playing.change = None;
                self.chosen.give_up();
                *notice = Some(refusal(&choice, &reason));
                drop(state);
                self.host().project_changed();
                return None;
            }
            // Deactivated meanwhile: the next activation opens the model itself.
            (_, opened) => return opened.ok().map(|instance| (instance.audio, Some(instance.handle))),
        };
        let refused = profile.and_then(|profile| handle.learning().restore(profile).err());
        let playing = state.playing.as_mut()?;
        match playing.control.offer(audio) {
            Ok(()) => {
                playing.change =
                    Some(Change::Coming(choice, Box::new(Run::new(handle, facts, Arc::downgrade(self)))));
                state.notice = refused;
                None
            }
            Err(audio) => {
                drop(state);
                self.restart_instead();
                Some((audio, Some(handle)))
            }
        }
    }

    /// The host must restart the plug-in for the chosen model.
    fn restart_instead(&self) {
        if let Some(playing) = &mut self.lock().playing {
            playing.change = None;
        }
        self.chosen.choose(self.chosen.chosen());
    }

    /// Notes what the deck has done with the other engine, and ends the one that does not play any more.
    pub(crate) fn settle(&self) {
        let ended = self.collect();
        if ended.is_some() {
            // Joins a worker, which may be in the middle of a hop. Without a thread it is dropped here.
            self.spawn("tributary-ending", move || drop(ended));
        }
    }

    fn collect(&self) -> Option<Ended> {
        let mut state = self.lock();
        let State { run, playing, notice, last_render, .. } = &mut *state;
        let playing = playing.as_mut()?;
        let retired = playing.control.collect()?;
        let Some(Change::Coming(choice, coming)) = playing.change.take() else { return None };
        match retired {
            Retired::Replaced(side) => {
                self.chosen.came_in_force();
                self.forgiven_underruns.store(0, Relaxed);
                if let Some(run) = run.as_ref() {
                    *last_render = run.render().or(last_render.take());
                    coming.telemetry.hear_as(&run.telemetry);
                }
                Some((side, run.replace(*coming).and_then(|run| run.handle)))
            }
            Retired::Refused(side) => {
                self.chosen.give_up();
                let reason = match coming.telemetry.state() {
                    EngineState::Failed { reason } => reason,
                    _ => String::new(),
                };
                *notice = Some(refusal(&choice, &reason));
                drop(state);
                self.host().project_changed();
                Some((side, coming.handle))
            }
        }
    }
}

fn refusal(choice: &ModelChoice, reason: &str) -> String {
    format!("“{}” cannot be used, the model before it stays: {reason}", choice.name())
}
