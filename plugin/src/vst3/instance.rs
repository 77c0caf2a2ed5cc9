//! One instance's tables: the framework's functions with some replaced, and what those functions need to know.
//!
//! An interface pointer leads to its table, and the table – longer than the framework knows – to the instance. The tables
//! lie in the plug-in itself, so that they end with the object whose functions they are.

use super::held::HeldValues;
use crate::Tributary;
use crate::engines::Engines;
use crate::host::HostLink;
use crate::params::TributaryParams;
use crate::parts::Parts;
use nice_plug::wrapper::vst3::Wrapper;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    IAudioProcessor, IAudioProcessorVtbl, IComponent, IComponentHandler, IComponentVtbl, IEditController,
    IEditControllerVtbl,
};
use nice_plug::wrapper::vst3::vst3::{ComPtr, ComWrapper};
use std::ptr::null;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

/// A table of functions in the place of the framework's.
#[repr(C)]
pub(super) struct Table<V> {
    /// What the host calls. First, so that an interface's table pointer is one to the whole.
    ours: V,
    /// What the framework made.
    pub(super) framework: V,
    instance: *const Instance,
}

/// What the replaced functions know.
pub(super) struct Instance {
    component: Table<IComponentVtbl>,
    controller: Table<IEditControllerVtbl>,
    processor: Table<IAudioProcessorVtbl>,
    pub(super) params: Arc<TributaryParams>,
    pub(super) engines: Arc<Engines>,
    pub(super) link: Arc<HostLink>,
    pub(super) held: HeldValues,
    /// `setupProcessing` was called.
    pub(super) is_set_up: AtomicBool,
    /// Between `setProcessing(true)` and `setProcessing(false)`.
    pub(super) is_processing: AtomicBool,
    /// The thread that made the instance: the host's main thread.
    pub(super) main: ThreadId,
    /// The host's handler.
    pub(super) handler: Mutex<Option<ComPtr<IComponentHandler>>>,
}

// SAFETY: the tables are not written after `attach`; everything else is shared through atomics and mutexes.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

/// What makes our tables of the framework's.
pub(super) struct Replaced {
    pub(super) component: fn(IComponentVtbl) -> IComponentVtbl,
    pub(super) controller: fn(IEditControllerVtbl) -> IEditControllerVtbl,
    pub(super) processor: fn(IAudioProcessorVtbl) -> IAudioProcessorVtbl,
}

/// Points an object's interfaces at tables of its own. Without all three the object stays as the framework made it.
pub(super) fn attach(wrapper: &ComWrapper<Wrapper<Tributary>>, parts: &Parts, replaced: &Replaced) {
    let (Some(component), Some(controller), Some(processor)) = (
        wrapper.as_com_ref::<IComponent>(),
        wrapper.as_com_ref::<IEditController>(),
        wrapper.as_com_ref::<IAudioProcessor>(),
    ) else {
        return;
    };
    let (component, controller, processor) = (component.as_ptr(), controller.as_ptr(), processor.as_ptr());
    // SAFETY: the pointers are interface slots inside the object just built; nobody else holds it yet, and their tables
    // are valid for the life of the library. Only the slots are written, never the framework's shared tables. The
    // instance is boxed and lives in the plug-in inside the object: until after the last call through a slot.
    unsafe {
        let held = HeldValues::new(&parts.params, controller);
        let mut instance = Box::new(Instance {
            component: table(*(*component).vtbl, replaced.component),
            controller: table(*(*controller).vtbl, replaced.controller),
            processor: table(*(*processor).vtbl, replaced.processor),
            params: Arc::clone(&parts.params),
            engines: Arc::clone(&parts.engines),
            link: Arc::clone(parts.engines.host()),
            held,
            is_set_up: AtomicBool::new(false),
            is_processing: AtomicBool::new(false),
            main: std::thread::current().id(),
            handler: Mutex::new(None),
        });
        let own: *const Instance = &raw const *instance;
        instance.component.instance = own;
        instance.controller.instance = own;
        instance.processor.instance = own;
        (*component).vtbl = (&raw const instance.component).cast();
        (*controller).vtbl = (&raw const instance.controller).cast();
        (*processor).vtbl = (&raw const instance.processor).cast();
        parts.keep(instance);
    }
}

fn table<V: Copy>(framework: V, replaced: fn(V) -> V) -> Table<V> {
    Table { ours: replaced(framework), framework, instance: null() }
}

impl<V> Table<V> {
    /// The instance of an interface pointer's table.
    ///
    /// # Safety
    /// `vtbl` must be the table pointer of an interface after [`attach`].
    pub(super) unsafe fn of<'a>(vtbl: *const V) -> (&'a V, &'a Instance) {
        // SAFETY: by the caller's promise this is the first field of a table, whose instance lives as long.
        unsafe {
            let table = &*vtbl.cast::<Self>();
            (&table.framework, &*table.instance)
        }
    }
}

impl Instance {
    /// Whether this is the host's main thread.
    pub(super) fn is_main_thread(&self) -> bool {
        std::thread::current().id() == self.main
    }

    /// Passes on what could not be said from another thread.
    pub(super) fn tell(&self) {
        if self.is_main_thread() {
            self.link.tell();
        }
    }
}
