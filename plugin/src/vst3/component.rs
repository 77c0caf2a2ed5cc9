//! `IComponent`: saving, loading and activation, with what the host has set but not yet sent.

use super::instance::Table;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{IComponent, IComponentVtbl};
use nice_plug::wrapper::vst3::vst3::Steinberg::{IBStream, TBool, tresult};

pub(super) fn replaced(framework: IComponentVtbl) -> IComponentVtbl {
    IComponentVtbl { setActive, setState, getState, ..framework }
}

unsafe extern "system" fn setActive(this: *mut IComponent, state: TBool) -> tresult {
    // SAFETY: the host's own arguments, for an object whose table is ours.
    unsafe {
        let (framework, instance) = Table::of((*this).vtbl);
        instance.tell();
        (framework.setActive)(this, state)
    }
}

/// A loaded state replaces what was set before it.
unsafe extern "system" fn setState(this: *mut IComponent, stream: *mut IBStream) -> tresult {
    // SAFETY: as above.
    unsafe {
        let (framework, instance) = Table::of((*this).vtbl);
        instance.held.drop_all();
        (framework.setState)(this, stream)
    }
}

/// What the user has set is saved, whether or not a block has brought it.
unsafe extern "system" fn getState(this: *mut IComponent, stream: *mut IBStream) -> tresult {
    // SAFETY: as above.
    unsafe {
        let (framework, instance) = Table::of((*this).vtbl);
        instance.held.apply();
        instance.link.saved();
        (framework.getState)(this, stream)
    }
}
