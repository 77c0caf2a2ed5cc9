//! The CLAP instance in a host that counts.

use super::*;
use crate::models::ModelChoice;
use clap_sys::ext::latency::{CLAP_EXT_LATENCY, clap_host_latency};
use clap_sys::ext::params::clap_param_info;
use clap_sys::ext::preset_load::{CLAP_EXT_PRESET_LOAD, clap_plugin_preset_load};
use clap_sys::ext::remote_controls::{
    CLAP_EXT_REMOTE_CONTROLS, clap_plugin_remote_controls, clap_remote_controls_page,
};
use clap_sys::ext::state::clap_host_state;
use clap_sys::factory::preset_discovery::CLAP_PRESET_DISCOVERY_LOCATION_PLUGIN;
use clap_sys::id::CLAP_INVALID_ID;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use tributary_engine::LatencyMode;

/// A host with as many extensions as it is given, and how often it was called.
#[repr(C)]
struct FakeHost {
    host: clap_host,
    has_extensions: bool,
    state: clap_host_state,
    latency: clap_host_latency,
    dirty: AtomicU32,
    latencies: AtomicU32,
    restarts: AtomicU32,
}

unsafe fn of<'a>(host: *const clap_host) -> &'a FakeHost {
    // SAFETY: the plug-in hands back the pointer that it was given.
    unsafe { &*host.cast() }
}

unsafe extern "C" fn extension(host: *const clap_host, id: *const c_char) -> *const c_void {
    // SAFETY: as above; `id` is a string.
    let (host, id) = unsafe { (of(host), CStr::from_ptr(id)) };
    match id {
        _ if !host.has_extensions => null(),
        id if id == CLAP_EXT_STATE => (&raw const host.state).cast(),
        id if id == CLAP_EXT_LATENCY => (&raw const host.latency).cast(),
        _ => null(),
    }
}

unsafe extern "C" fn mark_dirty(host: *const clap_host) {
    // SAFETY: as above. So below.
    unsafe { of(host) }.dirty.fetch_add(1, Relaxed);
}

unsafe extern "C" fn latency_changed(host: *const clap_host) {
    unsafe { of(host) }.latencies.fetch_add(1, Relaxed);
}

unsafe extern "C" fn request_restart(host: *const clap_host) {
    unsafe { of(host) }.restarts.fetch_add(1, Relaxed);
}

unsafe extern "C" fn request_nothing(_host: *const clap_host) {}

impl FakeHost {
    fn new(has_extensions: bool) -> Box<Self> {
        let name = c"Counting host".as_ptr();
        let host = clap_host {
            clap_version: CLAP_VERSION,
            host_data: std::ptr::null_mut(),
            name,
            vendor: name,
            url: name,
            version: name,
            get_extension: Some(extension),
            request_restart: Some(request_restart),
            request_process: Some(request_nothing),
            request_callback: Some(request_nothing),
        };
        Box::new(Self {
            host,
            has_extensions,
            state: clap_host_state { mark_dirty: Some(mark_dirty) },
            latency: clap_host_latency { changed: Some(latency_changed) },
            dirty: AtomicU32::new(0),
            latencies: AtomicU32::new(0),
            restarts: AtomicU32::new(0),
        })
    }

    /// An instance that is gone when this is over.
    fn with_instance(&self, run: impl FnOnce(*const clap_plugin, &Instance)) {
        // SAFETY: the calls of a host, in a host's order.
        unsafe {
            let plugin = create_plugin(null(), &self.host, c"audio.tributary.mix".as_ptr());
            assert!((*plugin).init.expect("a function")(plugin));
            run(plugin, instance(plugin).expect("an instance"));
            (*plugin).destroy.expect("a function")(plugin);
        }
    }

    fn counts(&self) -> [u32; 3] {
        [&self.dirty, &self.latencies, &self.restarts].map(|count| count.load(Relaxed))
    }
}

/// Deactivates if it was active.
fn activate_again(plugin: *const clap_plugin, was_active: bool) -> u32 {
    // SAFETY: the calls of a host.
    unsafe {
        if was_active {
            (*plugin).deactivate.expect("a function")(plugin);
        }
        assert!((*plugin).activate.expect("a function")(plugin, 48_000.0, 1, 512));
        let latency = (*plugin).get_extension.expect("a function")(plugin, CLAP_EXT_LATENCY.as_ptr());
        let latency = latency.cast::<clap_sys::ext::latency::clap_plugin_latency>();
        (*latency).get.expect("a function")(plugin)
    }
}

#[test]
fn a_latency_is_told_in_the_activation_and_asks_for_no_restart() {
    let host = FakeHost::new(true);
    host.with_instance(|plugin, of| {
        let first = activate_again(plugin, false);
        assert!(first > 0);
        assert_eq!(host.counts(), [0, 1, 0], "the first load");
        assert_eq!(activate_again(plugin, true), first);
        assert_eq!(host.counts(), [0, 1, 0], "nothing new");
        of.parts.engines.choose_latency(LatencyMode::Monitor);
        assert!(of.parts.engines.take_restart(), "the one restart, asked for by a block or the editor");
        // Without a model every mode has the same latency, so another block's length stands for another mode.
        // SAFETY: the calls of a host.
        unsafe {
            (*plugin).deactivate.expect("a function")(plugin);
            assert!((*plugin).activate.expect("a function")(plugin, 48_000.0, 1, 4096));
        }
        assert!(!of.parts.engines.take_restart(), "and no other");
        assert_eq!(host.counts(), [1, 2, 0]);
    });
}

#[test]
fn the_host_is_told_of_every_change_of_the_project_and_of_nothing_else() {
    let host = FakeHost::new(true);
    host.with_instance(|plugin, of| {
        let engines = &of.parts.engines;
        let dirty = || host.dirty.load(Relaxed);
        engines.choose_latency(LatencyMode::Standard);
        engines.choose_model(ModelChoice::default());
        assert_eq!(dirty(), 0, "as it was");
        engines.choose_latency(LatencyMode::Low);
        assert_eq!(dirty(), 1);
        engines.choose_model(ModelChoice::new("small").expect("a name"));
        assert_eq!(dirty(), 2, "a model, not active");
        activate_again(plugin, false);
        assert_eq!(dirty(), 2);
        engines.forget();
        assert_eq!(dirty(), 3);
        engines.reset_underruns();
        assert_eq!(dirty(), 3);
        // From another thread the framework asks the host to call back.
        std::thread::scope(|scope| {
            scope.spawn(|| engines.choose_latency(LatencyMode::High));
        });
        assert_eq!(dirty(), 3);
        // SAFETY: as the host does what it was asked.
        unsafe { (*plugin).on_main_thread.expect("a function")(plugin) };
        assert_eq!(dirty(), 4);
    });
}

#[test]
fn a_host_without_extensions_and_null_pointers_do_no_harm() {
    let host = FakeHost::new(false);
    // SAFETY: what a host must not do, and some do.
    unsafe {
        assert!(create_plugin(null(), null(), c"audio.tributary.mix".as_ptr()).is_null());
        assert!(create_plugin(null(), &host.host, null()).is_null());
        assert!(create_plugin(null(), &host.host, c"another".as_ptr()).is_null());
        assert!(get_factory(null()).is_null() && get_factory(c"clap.preset-discovery".as_ptr()).is_null());
        assert!(get_plugin_descriptor(null(), 1).is_null());
        destroy(null());
        assert!(!activate(null(), 48_000.0, 1, 512));
        assert!(get_extension(null(), CLAP_EXT_GUI.as_ptr()).is_null());
    }
    host.with_instance(|plugin, of| {
        activate_again(plugin, false);
        of.parts.engines.choose_latency(LatencyMode::Low);
        assert_eq!(host.counts(), [0, 0, 0]);
        // SAFETY: as above.
        unsafe {
            assert!(get_extension(plugin, null()).is_null());
            assert!(get_extension(plugin, c"no.such.extension".as_ptr()).is_null());
            let gui = get_extension(plugin, CLAP_EXT_GUI.as_ptr()).cast::<clap_plugin_gui>();
            let gui = gui.as_ref().expect("a window");
            let create = gui.create.expect("a function");
            assert!(!create(plugin, c"x11".as_ptr(), false), "the host has no windows");
            assert!(!create(plugin, null(), false) && !create(null(), c"x11".as_ptr(), false));
            assert!(!gui.is_api_supported.expect("a function")(plugin, null(), false));
            let adjust = gui.adjust_size.expect("a function");
            assert!(!adjust(plugin, std::ptr::null_mut(), std::ptr::null_mut()));
            assert!(!gui.set_size.expect("a function")(null(), 900, 700));
            assert!(!gui.set_parent.expect("a function")(plugin, null()));
            let params = get_extension(plugin, CLAP_EXT_PARAMS.as_ptr()).cast::<clap_plugin_params>();
            let read = params.as_ref().and_then(|params| params.text_to_value).expect("a function");
            let mut value = 0.0;
            assert!(
                !read(plugin, 1, null(), &mut value) && !read(plugin, 1, c"1".as_ptr(), std::ptr::null_mut())
            );
            assert!(!read(plugin, 1, c"1".as_ptr(), &mut value), "no such parameter");
            let state = get_extension(plugin, CLAP_EXT_STATE.as_ptr()).cast::<clap_plugin_state>();
            assert!(!state.as_ref().and_then(|state| state.save).expect("a function")(plugin, null()));
        }
    });
}

#[test]
fn a_preset_is_loaded_while_everything_else_stays() {
    let host = FakeHost::new(true);
    host.with_instance(|plugin, of| {
        let params = &of.parts.params;
        // SAFETY: the calls of a host.
        let load = |kind: u32, key: *const c_char| unsafe {
            let get = (*plugin).get_extension.expect("a function");
            let load = get(plugin, CLAP_EXT_PRESET_LOAD.as_ptr()).cast::<clap_plugin_preset_load>();
            (*load).from_location.expect("a function")(plugin, kind, null(), key)
        };
        let ours = CLAP_PRESET_DISCOVERY_LOCATION_PLUGIN;
        for (kind, key) in [(ours, null()), (ours, c"Loud".as_ptr()), (0, c"Gentle".as_ptr())] {
            assert!(!load(kind, key));
        }
        assert!(
            params
                .set_at_once(&std::iter::once(("bass_mute".to_owned(), 1.0)).collect())
                .after
                .get("bass_mute")
                .is_some()
        );
        assert!(load(ours, c"Gentle".as_ptr()));
        assert_eq!((params.network.value(), params.bass.mute.value()), (0.5, true));
        assert_eq!(of.parts.engines.steps()[0].as_deref(), Some("Preset Gentle"));
        assert_eq!(of.parts.engines.undo().get("network"), Some(1.0));
    });
}

/// A string in a field of fixed length.
fn field(characters: &[c_char]) -> String {
    let bytes = characters.iter().take_while(|&&c| c != 0).map(|&c| c as u8).collect();
    String::from_utf8(bytes).expect("UTF-8")
}

/// Every parameter's name and module, by its identifier.
fn listed(plugin: *const clap_plugin) -> BTreeMap<u32, (String, String)> {
    // SAFETY: the calls of a host.
    unsafe {
        let params = get_extension(plugin, CLAP_EXT_PARAMS.as_ptr()).cast::<clap_plugin_params>();
        let count = (*params).count.expect("a function")(plugin);
        let info = |index| {
            let mut info: clap_param_info = std::mem::zeroed();
            assert!((*params).get_info.expect("a function")(plugin, index, &mut info));
            (info.id, (field(&info.name), field(&info.module)))
        };
        (0..count).map(info).collect()
    }
}

/// All pages: section, name, and what is under the eight knobs.
fn pages(plugin: *const clap_plugin) -> Vec<(String, String, [u32; 8])> {
    // SAFETY: the calls of a host.
    unsafe {
        let controls = get_extension(plugin, CLAP_EXT_REMOTE_CONTROLS.as_ptr());
        let controls = controls.cast::<clap_plugin_remote_controls>();
        let page = |index| {
            let mut page: clap_remote_controls_page = std::mem::zeroed();
            assert!((*controls).get.expect("a function")(plugin, index, &mut page));
            (field(&page.section_name), field(&page.page_name), page.param_ids)
        };
        (0..(*controls).count.expect("a function")(plugin)).map(page).collect()
    }
}

#[test]
fn every_parameter_is_under_one_knob_and_a_stem_always_under_the_same() {
    let host = FakeHost::new(true);
    host.with_instance(|plugin, _| {
        let (listed, pages) = (listed(plugin), pages(plugin));
        let names: Vec<&str> = pages.iter().map(|(_, name, _)| name.as_str()).collect();
        let effects = crate::params::amounts::NAMES;
        assert_eq!(names[..4], ["Mix", "Trim and mute", "Solo and leave alone", "Lock"]);
        assert_eq!(names[4..], effects);
        let mut under: Vec<u32> =
            pages.iter().flat_map(|page| page.2).filter(|id| *id != CLAP_INVALID_ID).collect();
        under.sort_unstable();
        assert_eq!(under, listed.keys().copied().collect::<Vec<_>>(), "each once, none left out");
        for (section, effect, knobs) in &pages[4..] {
            assert_eq!(section, "Effects");
            let names = knobs.map(|id| listed.get(&id).map(|(name, _)| name.clone()));
            let of = |stem: &str| Some(format!("{stem} {effect}"));
            let lower = ["Vocals", "Bass", "Drums", "Other"].map(of);
            assert_eq!(names, [[Some(effect.clone()), None, None, None], lower].concat().as_slice());
        }
    });
}

#[test]
fn parameters_stand_in_modules_by_stem() {
    let host = FakeHost::new(true);
    host.with_instance(|plugin, _| {
        for (name, module) in listed(plugin).values() {
            let first = name.split(' ').next().unwrap_or_default();
            let expected = match first {
                "Vocals" | "Bass" | "Drums" | "Other" => first,
                _ if crate::params::amounts::NAMES.contains(&name.as_str()) => "Amounts",
                _ => "",
            };
            assert_eq!(module, expected, "{name}");
        }
    });
}
