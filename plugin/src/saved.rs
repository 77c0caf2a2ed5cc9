//! What a project keeps beside the parameters, a persisted field for each thing. All of them are [saved documents](document::SavedDocument), so
//! that any JSON is accepted and nothing that a project holds is lost:
//!
//! | field | file | what |
//! |---|---|---|
//! | `session` | `session.rs` | which model made the mix, and how the last run went |
//! | `learned` | `learned.rs` | what was learned from the song |
//! | `locked` | `locked.rs` | what stems are locked at |
//! | `snapshots` | `snapshots.rs` | what the parameters were when the user stored them |
//! | `latency`, `model`, `targets`, `window` | `setting.rs` | settings that a host must not automate |

mod document;
mod learned;
mod locked;
mod session;
mod setting;
mod snapshots;

pub use document::mend;
pub use learned::{Learned, LearnedField, Learner};
pub use locked::{Locked, LockedField, Locker, unlock_unasked};
pub use session::{Session, SessionField, Source};
pub use setting::{Setting, SettingField};
pub use snapshots::{Slot, Snapshots, SnapshotsField};
