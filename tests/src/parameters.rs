//! The parameters of a plug-in as the host sees them.
//!
//! Stands apart so that tests name a parameter as the user does and set it by its position in its range, whatever
//! numbers the framework uses for it.

use std::ffi::CString;

use anyhow::{Context, Result};
use clack_extensions::params::{ParamInfoBuffer, ParamInfoFlags, PluginParams};
use clack_host::prelude::*;
use clack_host::utils::ClapId;

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The number hosts address it by.
    pub id: u32,
    /// The name shown to the user.
    pub name: String,
    /// The lowest value.
    pub min: f64,
    /// The highest value.
    pub max: f64,
    /// The value of a fresh instance.
    pub default: f64,
    /// Whether the host may automate it.
    pub is_automatable: bool,
    /// Whether hosts may join it to their own bypass button.
    pub is_bypass: bool,
}

impl Parameter {
    /// The value at `position` of the range, 0 the lowest and 1 the highest.
    #[must_use]
    pub fn value_at(&self, position: f64) -> f64 {
        self.min + position * (self.max - self.min)
    }
}

fn extension(plugin: &PluginMainThreadHandle) -> Result<PluginParams> {
    plugin.get_extension::<PluginParams>().context("the plug-in has no parameters")
}

pub(crate) fn read_all(plugin: &PluginMainThreadHandle) -> Result<Vec<Parameter>> {
    let params = extension(plugin)?;
    (0..params.count(plugin))
        .map(|index| {
            let mut buffer = ParamInfoBuffer::new();
            let info = params.get_info(plugin, index, &mut buffer);
            let info = info.with_context(|| format!("parameter {index} does not describe itself"))?;
            Ok(Parameter {
                id: info.id.get(),
                name: String::from_utf8_lossy(info.name).into_owned(),
                min: info.min_value,
                max: info.max_value,
                default: info.default_value,
                is_automatable: info.flags.contains(ParamInfoFlags::IS_AUTOMATABLE),
                is_bypass: info.flags.contains(ParamInfoFlags::IS_BYPASS),
            })
        })
        .collect()
}

pub(crate) fn read_value(plugin: &PluginMainThreadHandle, id: u32) -> Result<f64> {
    let params = extension(plugin)?;
    let id = ClapId::from_raw(id).context("not a parameter number")?;
    params.get_value(plugin, id).context("the plug-in knows no such parameter")
}

pub(crate) fn text_of(plugin: &PluginMainThreadHandle, id: u32, value: f64) -> Result<String> {
    let params = extension(plugin)?;
    let id = ClapId::from_raw(id).context("not a parameter number")?;
    let mut text = [0u8; 256];
    let text =
        params.value_to_text(plugin, id, value, &mut text).ok().context("the parameter has no text")?;
    Ok(String::from_utf8_lossy(text).into_owned())
}

pub(crate) fn value_of(plugin: &PluginMainThreadHandle, id: u32, typed: &str) -> Result<Option<f64>> {
    let params = extension(plugin)?;
    let id = ClapId::from_raw(id).context("not a parameter number")?;
    Ok(params.text_to_value(plugin, id, &CString::new(typed)?))
}
