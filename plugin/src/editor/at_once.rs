//! What acts on all parameters at once – presets, snapshots, undo and redo – as it is done: through the host, so that its
//! automation and its own windows see every parameter move.

use super::edit::{Edit, SnapshotEdit};
use crate::engines::Engines;
use crate::params::TributaryParams;
use crate::saved::Slot;
use nice_plug::prelude::ParamSetter;
use std::sync::Arc;
use tributary_engine::PRESETS;

/// Does what the user did, if it is of this kind.
pub fn apply(edit: Edit, params: &TributaryParams, engines: &Arc<Engines>, setter: &ParamSetter<'_>) {
    match edit {
        Edit::Preset(index) => {
            if let Some(preset) = PRESETS.get(index) {
                let changed = params.set(setter, &preset.values().into_iter().collect());
                engines.have_set(format!("Preset {}", preset.name), changed);
            }
        }
        Edit::Snapshot(slot, action) => snapshot(slot, action, params, engines, setter),
        Edit::Undo => drop(params.set(setter, &engines.undo())),
        Edit::Redo => drop(params.set(setter, &engines.redo())),
        _ => {}
    }
}

fn snapshot(
    slot: Slot,
    action: SnapshotEdit,
    params: &TributaryParams,
    engines: &Engines,
    setter: &ParamSetter<'_>,
) {
    let held = params.snapshots.get(slot);
    match action {
        SnapshotEdit::Recall => {
            if let Some(values) = held {
                let changed = params.set(setter, &params.completed(&values));
                engines.have_set(format!("Snapshot {slot}"), changed);
            }
        }
        SnapshotEdit::Store => engines.store(format!("Store {slot}"), slot, Some(params.values())),
        SnapshotEdit::CopyTo(to) => engines.store(format!("Copy {slot} to {to}"), to, held),
        SnapshotEdit::Empty => engines.store(format!("Empty {slot}"), slot, None),
    }
}
