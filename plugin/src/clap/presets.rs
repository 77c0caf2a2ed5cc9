//! CLAP's two sides of factory presets: the discovery factory, by which a host's browser lists them without an instance, and
//! the extension that loads one. The presets are the plug-in's own, inside the binary.
//!
//! Loading sets parameters on the main thread as automation would, one atomic value each, and the engine glides: nothing of
//! the project beside them is touched, and no stream is interrupted.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use clap_sys::ext::params::{CLAP_EXT_PARAMS, CLAP_PARAM_RESCAN_VALUES, clap_host_params};
use clap_sys::ext::preset_load::{
    CLAP_EXT_PRESET_LOAD, CLAP_EXT_PRESET_LOAD_COMPAT, clap_host_preset_load, clap_plugin_preset_load,
};
use clap_sys::factory::preset_discovery::{
    CLAP_PRESET_DISCOVERY_FACTORY_ID, CLAP_PRESET_DISCOVERY_FACTORY_ID_COMPAT,
    CLAP_PRESET_DISCOVERY_IS_FACTORY_CONTENT, CLAP_PRESET_DISCOVERY_LOCATION_PLUGIN,
    clap_preset_discovery_factory, clap_preset_discovery_indexer, clap_preset_discovery_location,
    clap_preset_discovery_location_kind, clap_preset_discovery_metadata_receiver,
    clap_preset_discovery_provider, clap_preset_discovery_provider_descriptor,
};
use clap_sys::universal_plugin_id::clap_universal_plugin_id;
use nice_plug::prelude::{ClapPlugin, Plugin};
use nice_plug::wrapper::clap::{CLAP_VERSION, clap_plugin};
use tributary_engine::{PRESETS, Preset};

use super::instance::instance;
use crate::Tributary;

const PROVIDER_ID: &CStr = c"audio.tributary.presets";
const NAME: &CStr = c"Tributary";

/// The extension, under either of its names.
pub(super) fn extension(id: &CStr) -> Option<*const c_void> {
    (id == CLAP_EXT_PRESET_LOAD || id == CLAP_EXT_PRESET_LOAD_COMPAT).then_some((&raw const LOAD).cast())
}

/// The factory, under either of its names.
pub(super) fn factory(id: &CStr) -> Option<*const c_void> {
    let is_it = id == CLAP_PRESET_DISCOVERY_FACTORY_ID || id == CLAP_PRESET_DISCOVERY_FACTORY_ID_COMPAT;
    is_it.then_some((&raw const FACTORY).cast())
}

static LOAD: clap_plugin_preset_load = clap_plugin_preset_load { from_location: Some(from_location) };

/// Whether a preset was loaded.
unsafe extern "C" fn from_location(
    plugin: *const clap_plugin,
    kind: clap_preset_discovery_location_kind,
    location: *const c_char,
    load_key: *const c_char,
) -> bool {
    // SAFETY: the host's own arguments: a plug-in of ours, and strings or null.
    unsafe {
        let Some(of) = instance(plugin) else { return false };
        let is_ours = kind == CLAP_PRESET_DISCOVERY_LOCATION_PLUGIN && !load_key.is_null();
        let name = if is_ours { CStr::from_ptr(load_key).to_str().ok() } else { None };
        let Some(preset) = name.and_then(Preset::named) else { return false };
        let changed = of.parts.params.set_at_once(&preset.values().into_iter().collect());
        of.parts.engines.have_set(format!("Preset {}", preset.name), changed);
        let host = of.voice.host;
        if let Some(rescan) =
            host.extension::<clap_host_params>(CLAP_EXT_PARAMS).and_then(|params| params.rescan)
        {
            rescan(host.0, CLAP_PARAM_RESCAN_VALUES);
        }
        let loaded = host.extension::<clap_host_preset_load>(CLAP_EXT_PRESET_LOAD);
        if let Some(loaded) = loaded.and_then(|load| load.loaded) {
            loaded(host.0, kind, location, load_key);
        }
        true
    }
}

static DESCRIPTOR: clap_preset_discovery_provider_descriptor = clap_preset_discovery_provider_descriptor {
    clap_version: CLAP_VERSION,
    id: PROVIDER_ID.as_ptr(),
    name: NAME.as_ptr(),
    vendor: NAME.as_ptr(),
};

static FACTORY: clap_preset_discovery_factory = clap_preset_discovery_factory {
    count: Some(count),
    get_descriptor: Some(get_descriptor),
    create: Some(create),
};

unsafe extern "C" fn count(_factory: *const clap_preset_discovery_factory) -> u32 {
    1
}

unsafe extern "C" fn get_descriptor(
    _factory: *const clap_preset_discovery_factory,
    index: u32,
) -> *const clap_preset_discovery_provider_descriptor {
    if index == 0 { &raw const DESCRIPTOR } else { null() }
}

/// A provider keeps nothing but the host's indexer.
unsafe extern "C" fn create(
    _factory: *const clap_preset_discovery_factory,
    indexer: *const clap_preset_discovery_indexer,
    provider_id: *const c_char,
) -> *const clap_preset_discovery_provider {
    // SAFETY: `provider_id` is a string when it is not null.
    let is_ours = !provider_id.is_null() && unsafe { CStr::from_ptr(provider_id) } == PROVIDER_ID;
    if indexer.is_null() || !is_ours {
        return null();
    }
    Box::into_raw(Box::new(clap_preset_discovery_provider {
        desc: &raw const DESCRIPTOR,
        provider_data: indexer.cast_mut().cast(),
        init: Some(init),
        destroy: Some(destroy),
        get_metadata: Some(get_metadata),
        get_extension: Some(get_extension),
    }))
}

/// Tells the indexer that the presets are inside the plug-in.
unsafe extern "C" fn init(provider: *const clap_preset_discovery_provider) -> bool {
    let location = clap_preset_discovery_location {
        flags: CLAP_PRESET_DISCOVERY_IS_FACTORY_CONTENT,
        name: NAME.as_ptr(),
        kind: CLAP_PRESET_DISCOVERY_LOCATION_PLUGIN,
        location: null(),
    };
    // SAFETY: the provider is one of `create`, whose indexer outlives it.
    unsafe {
        let Some(provider) = provider.as_ref() else { return false };
        let indexer = provider.provider_data.cast::<clap_preset_discovery_indexer>();
        (*indexer).declare_location.is_some_and(|declare| declare(indexer, &location))
    }
}

unsafe extern "C" fn destroy(provider: *const clap_preset_discovery_provider) {
    if !provider.is_null() {
        // SAFETY: the host gives back what `create` gave it, once.
        drop(unsafe { Box::from_raw(provider.cast_mut()) });
    }
}

unsafe extern "C" fn get_extension(
    _provider: *const clap_preset_discovery_provider,
    _id: *const c_char,
) -> *const c_void {
    null_mut()
}

/// A preset's key, name and sentence.
fn words() -> &'static [[CString; 3]] {
    static WORDS: OnceLock<Vec<[CString; 3]>> = OnceLock::new();
    let of = |preset: &Preset| {
        [preset.key, preset.name, preset.words].map(|words| CString::new(words).unwrap_or_default())
    };
    WORDS.get_or_init(|| PRESETS.iter().map(of).collect())
}

/// Names every preset to the host's receiver.
unsafe extern "C" fn get_metadata(
    _provider: *const clap_preset_discovery_provider,
    kind: clap_preset_discovery_location_kind,
    _location: *const c_char,
    receiver: *const clap_preset_discovery_metadata_receiver,
) -> bool {
    let Ok(id) = CString::new(Tributary::CLAP_ID) else { return false };
    let id = clap_universal_plugin_id { abi: c"clap".as_ptr(), id: id.as_ptr() };
    let Ok(vendor) = CString::new(Tributary::VENDOR) else { return false };
    // SAFETY: null or the host's own table, whose functions take strings that live as long as the call.
    unsafe {
        let Some(of) = receiver.as_ref().filter(|_| kind == CLAP_PRESET_DISCOVERY_LOCATION_PLUGIN) else {
            return false;
        };
        let Some(begin) = of.begin_preset else { return false };
        for [key, name, sentence] in words() {
            // The host has enough.
            if !begin(receiver, name.as_ptr(), key.as_ptr()) {
                break;
            }
            of.add_plugin_id.iter().for_each(|add| add(receiver, &id));
            of.set_flags.iter().for_each(|set| set(receiver, CLAP_PRESET_DISCOVERY_IS_FACTORY_CONTENT));
            of.add_creator.iter().for_each(|add| add(receiver, vendor.as_ptr()));
            of.set_description.iter().for_each(|set| set(receiver, sentence.as_ptr()));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an indexer and a receiver are told.
    #[derive(Default)]
    struct Told {
        locations: u32,
        presets: Vec<(String, String)>,
        of_plugin: u32,
    }

    unsafe extern "C" fn declare_location(
        indexer: *const clap_preset_discovery_indexer,
        location: *const clap_preset_discovery_location,
    ) -> bool {
        unsafe {
            assert_eq!((*location).kind, CLAP_PRESET_DISCOVERY_LOCATION_PLUGIN);
            (*(*indexer).indexer_data.cast::<Told>()).locations += 1;
        }
        true
    }

    unsafe extern "C" fn begin_preset(
        receiver: *const clap_preset_discovery_metadata_receiver,
        name: *const c_char,
        key: *const c_char,
    ) -> bool {
        unsafe {
            let text = |text| CStr::from_ptr(text).to_str().expect("UTF-8").to_owned();
            (*(*receiver).receiver_data.cast::<Told>()).presets.push((text(name), text(key)));
        }
        true
    }

    unsafe extern "C" fn add_plugin_id(
        receiver: *const clap_preset_discovery_metadata_receiver,
        id: *const clap_universal_plugin_id,
    ) {
        unsafe {
            assert_eq!(CStr::from_ptr((*id).abi), c"clap");
            assert_eq!(CStr::from_ptr((*id).id).to_str(), Ok(Tributary::CLAP_ID));
            (*(*receiver).receiver_data.cast::<Told>()).of_plugin += 1;
        }
    }

    #[test]
    fn a_host_finds_every_preset_without_an_instance() {
        let mut told = Told::default();
        let data = (&raw mut told).cast();
        let indexer = clap_preset_discovery_indexer {
            clap_version: CLAP_VERSION,
            name: c"host".as_ptr(),
            vendor: null(),
            url: null(),
            version: null(),
            indexer_data: data,
            declare_filetype: None,
            declare_location: Some(declare_location),
            declare_soundpack: None,
            get_extension: None,
        };
        let receiver = clap_preset_discovery_metadata_receiver {
            receiver_data: data,
            on_error: None,
            begin_preset: Some(begin_preset),
            add_plugin_id: Some(add_plugin_id),
            set_soundpack_id: None,
            set_flags: None,
            add_creator: None,
            set_description: None,
            set_timestamps: None,
            add_feature: None,
            add_extra_info: None,
        };
        // SAFETY: a host's calls in a host's order; the tables outlive them.
        unsafe {
            let factory = &*factory(CLAP_PRESET_DISCOVERY_FACTORY_ID)
                .expect("a factory")
                .cast::<clap_preset_discovery_factory>();
            assert_eq!(factory.count.expect("a function")(factory), 1);
            let descriptor = factory.get_descriptor.expect("a function")(factory, 0);
            let create = factory.create.expect("a function");
            assert!(create(factory, &indexer, c"another".as_ptr()).is_null());
            assert!(create(factory, null(), (*descriptor).id).is_null());
            let provider = create(factory, &indexer, (*descriptor).id);
            assert!((*provider).init.expect("a function")(provider));
            let get = (*provider).get_metadata.expect("a function");
            assert!(!get(provider, 0, null(), &receiver), "there are no files");
            assert!(!get(provider, CLAP_PRESET_DISCOVERY_LOCATION_PLUGIN, null(), null()));
            assert!(get(provider, CLAP_PRESET_DISCOVERY_LOCATION_PLUGIN, null(), &receiver));
            (*provider).destroy.expect("a function")(provider);
        }
        assert_eq!((told.locations, told.of_plugin as usize), (1, PRESETS.len()));
        for ((name, key), preset) in told.presets.iter().zip(&PRESETS) {
            assert_eq!((name.as_str(), Preset::named(key)), (preset.name, Some(preset)));
        }
    }
}
