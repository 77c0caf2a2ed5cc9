//! What the user does in the editor. The window takes it to the host and to the engines.

use super::appearance::Appearance;
use super::copies::Page;
use crate::saved::Slot;
use tributary_dsp::Stem;
use tributary_engine::LatencyMode;

/// A parameter, as the editor addresses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Control {
    /// Mix.
    Mix,
    /// Output gain.
    Gain,
    /// Bypass.
    Bypass,
    /// Dry source.
    DrySource,
    /// Network.
    Network,
    /// Match loudness.
    MatchLoudness,
    /// Delta.
    Delta,
    /// How much of an effect is let through of every stem, by its place in
    /// [`AmountParams::each`](crate::params::AmountParams::each).
    Amount(usize),
    /// What acts on one stem.
    Stem(Stem, StemControl),
}

/// A parameter of one stem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StemControl {
    /// Trim.
    Trim,
    /// Mute.
    Mute,
    /// Solo.
    Solo,
    /// Leave alone.
    LeaveAlone,
    /// Lock.
    Lock,
    /// How much of an effect is let through, by its place in
    /// [`AmountParams::each`](crate::params::AmountParams::each).
    Amount(usize),
}

/// What the user did. Values are normalized, 0–1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Edit {
    /// A gesture begins: hosts write automation between begin and end.
    Begin(Control),
    /// A new value.
    Set(Control, f32),
    /// The gesture ends.
    End(Control),
    /// Count underruns from here.
    ResetUnderruns,
    /// Learn a profile, or stop.
    Learning(LearningAction),
    /// Keep what was learned as a file.
    KeepLearned,
    /// Put a file in force, by its place in [`Copies::learned_files`](super::copies::Copies::learned_files).
    FetchLearned(usize),
    /// Write the normalized stems of the next song that is learned, or not.
    ExportNext(bool),
    /// Another latency mode.
    Latency(LatencyMode),
    /// Show a stem in full, or none.
    Enlarge(Option<Stem>),
    /// Show another page of the stem in full.
    ShowPage(Page),
    /// Show the history of the song, or put it away.
    ShowHistory(bool),
    /// Put out the lamp of peaks over the mark.
    ResetOver,
    /// Show the amounts, or put them away.
    ShowAmounts(bool),
    /// Another size of the window, in points of the screen.
    Resize([u32; 2]),
    /// Dark or light.
    Appearance(Appearance),
    /// A factory preset, by its place in [`PRESETS`](tributary_engine::PRESETS).
    Preset(usize),
    /// Other targets, by their place in [`TargetsCopy::choices`](super::copies::TargetsCopy::choices).
    Targets(usize),
    /// Something with a snapshot.
    Snapshot(Slot, SnapshotEdit),
    /// Undo the latest step.
    Undo,
    /// Do the step again that was undone last.
    Redo,
    /// Another model, by its place in [`ModelCopy::choices`](super::copies::ModelCopy::choices).
    Model(usize),
}

impl Edit {
    /// A whole gesture.
    pub fn once(control: Control, value: f32) -> [Self; 3] {
        [Self::Begin(control), Self::Set(control, value), Self::End(control)]
    }
}

/// What can be done with a place for a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotEdit {
    /// Set all parameters as they are there.
    Recall,
    /// Put all parameters there as they are now.
    Store,
    /// Put the same into another place.
    CopyTo(Slot),
    /// Leave nothing there.
    Empty,
}

/// What the user can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LearningAction {
    /// Listen.
    Learn,
    /// Stop listening and analyze.
    Analyze,
    /// Stop listening or analyzing.
    Cancel,
    /// Adapt again.
    Forget,
}
