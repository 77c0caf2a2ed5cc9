//! The CLAP entry and factory, exported by hand, and what the framework's wrapper leaves out or gets wrong.
//!
//! The framework answers `get_extension` from a fixed list and makes its table of functions before anybody can change it. So
//! the host gets a table of ours: it carries the framework's data and functions, and the few entries that are replaced
//! here. That is where an extension the framework lacks goes: one arm in `get_extension`, as that of presets (`presets.rs`).
//!
//! Replaced are: `activate`, which tells the host of a new latency as CLAP means it – inside the activation, without the
//! further restart that the framework asks for; the window's calls, which refuse sizes below the minimum and survive null
//! pointers and hosts without the window extension; the render mode, which counts at once; the reading of typed values;
//! and `destroy`, which frees the table.
#![allow(unsafe_code)] // A table of C functions is raw pointers by definition.

mod instance;
mod presets;

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::null;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use clap_sys::ext::gui::{CLAP_EXT_GUI, clap_host_gui, clap_plugin_gui, clap_window};
use clap_sys::ext::params::{CLAP_EXT_PARAMS, clap_plugin_params};
use clap_sys::ext::render::{
    CLAP_EXT_RENDER, CLAP_RENDER_OFFLINE, CLAP_RENDER_REALTIME, clap_plugin_render, clap_plugin_render_mode,
};
use clap_sys::ext::state::{CLAP_EXT_STATE, clap_plugin_state};
use clap_sys::stream::clap_ostream;
use nice_plug::prelude::{Enum, ProcessMode};
use nice_plug::wrapper::clap::{
    CLAP_PLUGIN_FACTORY_ID, CLAP_VERSION, PluginDescriptor, Wrapper, clap_host, clap_plugin,
    clap_plugin_descriptor, clap_plugin_entry, clap_plugin_factory,
};

use crate::Tributary;
use crate::params::DrySource;
use crate::parts::Parts;
use crate::text;
use instance::{ClapVoice, Host, Instance, instance};

unsafe extern "C" fn destroy(plugin: *const clap_plugin) {
    // SAFETY: the host gives back what `create_plugin` gave it, once.
    unsafe {
        let Some(of) = instance(plugin) else { return };
        of.parts.engines.host().set_voice(None);
        if let Some(destroy) = of.framework.destroy {
            destroy(plugin);
        }
        drop(Box::from_raw(plugin.cast_mut().cast::<Instance>()));
    }
}

unsafe extern "C" fn activate(plugin: *const clap_plugin, rate_hz: f64, least: u32, most: u32) -> bool {
    // SAFETY: the host's own arguments, passed on unchanged.
    unsafe {
        let Some(of) = instance(plugin) else { return false };
        let activated = of.framework.activate.is_some_and(|activate| activate(plugin, rate_hz, least, most));
        if activated {
            of.voice.announce_latency();
        }
        activated
    }
}

/// The framework's extensions, some of them with other functions in part.
unsafe extern "C" fn get_extension(plugin: *const clap_plugin, id: *const c_char) -> *const c_void {
    // SAFETY: the host gives a string; the framework's tables live as long as the instance and hold the same functions
    // for every instance, so that one copy of each serves all.
    unsafe {
        let (Some(of), false) = (instance(plugin), id.is_null()) else { return null() };
        if let Some(ours) = presets::extension(CStr::from_ptr(id)) {
            return ours;
        }
        let framework = of.framework.get_extension.map_or(null(), |get| get(plugin, id));
        if framework.is_null() {
            return null();
        }
        match CStr::from_ptr(id) {
            id if id == CLAP_EXT_GUI => mended(&GUI, framework, mend_gui),
            id if id == CLAP_EXT_PARAMS => mended(&PARAMS, framework, mend_params),
            id if id == CLAP_EXT_RENDER => mended(&RENDER, framework, mend_render),
            id if id == CLAP_EXT_STATE => mended(&STATE, framework, mend_state),
            _ => framework,
        }
    }
}

/// The framework's table and ours.
struct Tables<T> {
    framework: T,
    ours: T,
}

static GUI: OnceLock<Tables<clap_plugin_gui>> = OnceLock::new();
static PARAMS: OnceLock<Tables<clap_plugin_params>> = OnceLock::new();
static RENDER: OnceLock<Tables<clap_plugin_render>> = OnceLock::new();
static STATE: OnceLock<Tables<clap_plugin_state>> = OnceLock::new();

/// `framework` must be a table of type `T`.
unsafe fn mended<T: Copy>(
    tables: &'static OnceLock<Tables<T>>,
    framework: *const c_void,
    mend: fn(T) -> T,
) -> *const c_void {
    // SAFETY: by the caller's promise.
    let framework = unsafe { *framework.cast::<T>() };
    let tables = tables.get_or_init(|| Tables { framework, ours: mend(framework) });
    (&raw const tables.ours).cast()
}

fn mend_gui(framework: clap_plugin_gui) -> clap_plugin_gui {
    clap_plugin_gui {
        is_api_supported: Some(gui_is_api_supported),
        create: Some(gui_create),
        adjust_size: Some(gui_adjust_size),
        set_size: Some(gui_set_size),
        set_parent: Some(gui_set_parent),
        ..framework
    }
}

fn mend_params(framework: clap_plugin_params) -> clap_plugin_params {
    clap_plugin_params { text_to_value: Some(params_text_to_value), ..framework }
}

fn mend_render(framework: clap_plugin_render) -> clap_plugin_render {
    clap_plugin_render { set: Some(render_set), ..framework }
}

fn mend_state(framework: clap_plugin_state) -> clap_plugin_state {
    clap_plugin_state { save: Some(state_save), ..framework }
}

unsafe extern "C" fn gui_is_api_supported(
    plugin: *const clap_plugin,
    api: *const c_char,
    floating: bool,
) -> bool {
    let Some(supported) = GUI.get().and_then(|gui| gui.framework.is_api_supported) else { return false };
    // SAFETY: the host's own arguments.
    !plugin.is_null() && !api.is_null() && unsafe { supported(plugin, api, floating) }
}

/// The framework takes the host's own window extension for granted.
unsafe extern "C" fn gui_create(plugin: *const clap_plugin, api: *const c_char, floating: bool) -> bool {
    let Some(create) = GUI.get().and_then(|gui| gui.framework.create) else { return false };
    // SAFETY: the host's own arguments, not null.
    unsafe {
        let Some(of) = instance(plugin) else { return false };
        let has_window = of.voice.host.extension::<clap_host_gui>(CLAP_EXT_GUI).is_some();
        has_window && !api.is_null() && create(plugin, api, floating)
    }
}

unsafe extern "C" fn gui_adjust_size(plugin: *const clap_plugin, width: *mut u32, height: *mut u32) -> bool {
    let Some(adjust) = GUI.get().and_then(|gui| gui.framework.adjust_size) else { return false };
    let is_null = plugin.is_null() || width.is_null() || height.is_null();
    // SAFETY: the host's own arguments, not null.
    !is_null && unsafe { adjust(plugin, width, height) }
}

/// Refuses what is smaller than the size that `adjust_size` would make of it: the layout needs its room.
unsafe extern "C" fn gui_set_size(plugin: *const clap_plugin, width: u32, height: u32) -> bool {
    let Some(set_size) = GUI.get().and_then(|gui| gui.framework.set_size) else { return false };
    let (mut least_width, mut least_height) = (width, height);
    // SAFETY: the host's own arguments, and two numbers of this call.
    unsafe {
        let adjusted = gui_adjust_size(plugin, &mut least_width, &mut least_height);
        if adjusted && (width < least_width || height < least_height) {
            return false;
        }
        !plugin.is_null() && set_size(plugin, width, height)
    }
}

unsafe extern "C" fn gui_set_parent(plugin: *const clap_plugin, window: *const clap_window) -> bool {
    let Some(set_parent) = GUI.get().and_then(|gui| gui.framework.set_parent) else { return false };
    // SAFETY: the host's own arguments; a window's kind is a string.
    unsafe { window.as_ref().is_some_and(|of| !of.api.is_null()) && set_parent(plugin, window) }
}

/// The framework compares the names of a choice to the letter.
unsafe extern "C" fn params_text_to_value(
    plugin: *const clap_plugin,
    id: u32,
    typed: *const c_char,
    value: *mut f64,
) -> bool {
    let Some(read) = PARAMS.get().and_then(|params| params.framework.text_to_value) else { return false };
    // SAFETY: the host's own arguments; `typed` is a string when it is not null.
    unsafe {
        if typed.is_null() || value.is_null() {
            return false;
        }
        if read(plugin, id, typed, value) {
            return true;
        }
        let Ok(typed) = CStr::from_ptr(typed).to_str() else { return false };
        let name = text::choice(typed, DrySource::variants()).and_then(|name| CString::new(name).ok());
        name.is_some_and(|name| read(plugin, id, name.as_ptr(), value))
    }
}

/// At once, also while active; the framework asks for a restart then, and the model would be loaded again.
unsafe extern "C" fn render_set(plugin: *const clap_plugin, mode: clap_plugin_render_mode) -> bool {
    let mode = match mode {
        CLAP_RENDER_REALTIME => ProcessMode::Realtime,
        CLAP_RENDER_OFFLINE => ProcessMode::Offline,
        _ => return false,
    };
    // SAFETY: the host's own argument.
    let Some(of) = (unsafe { instance(plugin) }) else { return false };
    let Some(wrapper) = of.voice.wrapper.upgrade() else { return false };
    // What the next activation is told.
    wrapper.current_process_mode.store(mode);
    of.parts.engines.host().says_offline(mode == ProcessMode::Offline);
    true
}

/// What is saved need not be announced any more.
unsafe extern "C" fn state_save(plugin: *const clap_plugin, stream: *const clap_ostream) -> bool {
    let Some(save) = STATE.get().and_then(|state| state.framework.save) else { return false };
    // SAFETY: the host's own arguments.
    unsafe {
        let Some(of) = instance(plugin) else { return false };
        of.parts.engines.host().saved();
        !stream.is_null() && save(plugin, stream)
    }
}

fn descriptor() -> &'static PluginDescriptor {
    static DESCRIPTOR: OnceLock<PluginDescriptor> = OnceLock::new();
    DESCRIPTOR.get_or_init(PluginDescriptor::for_plugin::<Tributary>)
}

unsafe extern "C" fn get_plugin_count(_factory: *const clap_plugin_factory) -> u32 {
    1
}

unsafe extern "C" fn get_plugin_descriptor(
    _factory: *const clap_plugin_factory,
    index: u32,
) -> *const clap_plugin_descriptor {
    if index == 0 { descriptor().clap_plugin_descriptor() } else { null() }
}

unsafe extern "C" fn create_plugin(
    _factory: *const clap_plugin_factory,
    host: *const clap_host,
    id: *const c_char,
) -> *const clap_plugin {
    // SAFETY: `id` is a string when it is not null, and `host` outlives the plug-in.
    unsafe {
        if host.is_null() || id.is_null() || CStr::from_ptr(id) != descriptor().clap_id() {
            return null();
        }
        let Some((wrapper, parts)) = Parts::of(|| Wrapper::<Tributary>::new(host)) else { return null() };
        let framework = *wrapper.clap_plugin.borrow();
        let voice = Arc::new(ClapVoice {
            host: Host(host),
            wrapper: Arc::downgrade(&wrapper),
            latency_changed: AtomicBool::new(false),
        });
        parts.engines.host().set_voice(Some(voice.clone()));
        let table = clap_plugin {
            destroy: Some(destroy),
            activate: Some(activate),
            get_extension: Some(get_extension),
            ..framework
        };
        // `plugin_data` is the wrapper's own reference, which `destroy` takes back.
        let _ = Arc::into_raw(wrapper);
        Box::into_raw(Box::new(Instance { table, framework, parts, voice })).cast()
    }
}

static FACTORY: clap_plugin_factory = clap_plugin_factory {
    get_plugin_count: Some(get_plugin_count),
    get_plugin_descriptor: Some(get_plugin_descriptor),
    create_plugin: Some(create_plugin),
};

unsafe extern "C" fn init(_path: *const c_char) -> bool {
    nice_plug::wrapper::setup_logger::<Tributary>();
    true
}

unsafe extern "C" fn deinit() {}

unsafe extern "C" fn get_factory(id: *const c_char) -> *const c_void {
    if id.is_null() {
        return null();
    }
    // SAFETY: a string, since it is not null.
    match unsafe { CStr::from_ptr(id) } {
        id if id == CLAP_PLUGIN_FACTORY_ID => (&raw const FACTORY).cast(),
        id => presets::factory(id).unwrap_or(null()),
    }
}

/// The CLAP entry point.
#[allow(non_upper_case_globals)]
#[unsafe(no_mangle)]
#[used]
pub static clap_entry: clap_plugin_entry = clap_plugin_entry {
    clap_version: CLAP_VERSION,
    init: Some(init),
    deinit: Some(deinit),
    get_factory: Some(get_factory),
};

#[cfg(test)]
mod tests;
