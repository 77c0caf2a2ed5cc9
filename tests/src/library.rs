//! Loading a `.clap` file.
//!
//! Stands apart because it is the one place where foreign code enters the process, and so the one place with `unsafe`.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clack_host::prelude::*;

use crate::instance::Instance;

/// A loaded plug-in library. It stays in memory as long as this handle or one of its instances lives.
#[derive(Clone)]
pub struct Library {
    entry: PluginEntry,
}

impl Library {
    /// Loads the `.clap` at `path` (absolute, or relative to the working directory).
    ///
    /// # Errors
    /// When there is no such file, or it is not a CLAP library.
    pub fn load(path: &Path) -> Result<Self> {
        let path = path.canonicalize().with_context(|| format!("no plug-in at {}", path.display()))?;
        // SAFETY: the caller names the plug-in to be hosted; like any host, this one trusts it with its process.
        let entry = unsafe { PluginEntry::load(&path) }
            .with_context(|| format!("{} cannot be loaded as a CLAP plug-in", path.display()))?;
        Ok(Self { entry })
    }

    /// Wraps an entry that is part of this program: how the tests' double is hosted.
    #[must_use]
    pub fn from_entry(entry: PluginEntry) -> Self {
        Self { entry }
    }

    /// The identifiers of all plug-ins in the library.
    ///
    /// # Errors
    /// When the library has no plug-in factory.
    pub fn plugin_ids(&self) -> Result<Vec<String>> {
        let factory = self.entry.get_plugin_factory().context("the library has no plug-in factory")?;
        let ids = factory.plugin_descriptors().filter_map(|descriptor| descriptor.id());
        Ok(ids.map(|id| id.to_string_lossy().into_owned()).collect())
    }

    /// Makes one instance of the plug-in called `id`. The calling thread becomes the instance's main thread.
    ///
    /// # Errors
    /// When the library does not hold the plug-in, or the plug-in refuses.
    pub fn instantiate(&self, id: &str) -> Result<Instance> {
        let ids = self.plugin_ids()?;
        ensure!(ids.iter().any(|known| known == id), "the library holds {ids:?}, not {id:?}");
        Instance::new(&self.entry, &CString::new(id)?)
    }
}
