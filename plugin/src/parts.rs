//! What a format's factory works with: the framework builds a plug-in inside a wrapper of its own and keeps it to itself, so
//! the plug-in leaves a note of its parts for the factory that asked for it.

use std::any::Any;
use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::engines::Engines;
use crate::params::TributaryParams;

/// What a factory puts into a plug-in, to end with it.
pub(crate) type Shelf = Mutex<Option<Box<dyn Any + Send + Sync>>>;

/// The parts of a plug-in that a factory works with; the framework keeps the plug-in itself to itself.
pub(crate) struct Parts {
    pub(crate) params: Arc<TributaryParams>,
    pub(crate) engines: Arc<Engines>,
    shelf: Weak<Shelf>,
}

type WeakParts = (Weak<TributaryParams>, Weak<Engines>, Weak<Shelf>);

thread_local! {
    static LATEST: RefCell<Option<WeakParts>> = const { RefCell::new(None) };
}

impl Parts {
    /// The plug-in under construction on this thread has these parts.
    pub(crate) fn note(params: &Arc<TributaryParams>, engines: &Arc<Engines>, shelf: &Arc<Shelf>) {
        let parts = (Arc::downgrade(params), Arc::downgrade(engines), Arc::downgrade(shelf));
        LATEST.with(|latest| *latest.borrow_mut() = Some(parts));
    }

    /// Puts something into the plug-in.
    pub(crate) fn keep(&self, what: Box<dyn Any + Send + Sync>) {
        if let Some(shelf) = self.shelf.upgrade() {
            *shelf.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
        }
    }

    /// Lets the framework build its wrapper and returns it with the parts of the plug-in inside.
    pub(crate) fn of<W>(build: impl FnOnce() -> W) -> Option<(W, Self)> {
        LATEST.with(|latest| *latest.borrow_mut() = None);
        let wrapper = build();
        let (params, engines, shelf) = LATEST.with(|latest| latest.borrow_mut().take())?;
        Some((wrapper, Self { params: params.upgrade()?, engines: engines.upgrade()?, shelf }))
    }
}
