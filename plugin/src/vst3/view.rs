//! `IPlugView`: a size below the minimum is refused, because the layout needs its room.
//!
//! The framework corrects such a size when the host asks first (`checkSizeConstraint`) and takes it when the host does not.

use nice_plug::wrapper::vst3::vst3::Steinberg::{
    FIDString, IPlugView, IPlugViewVtbl, ViewRect, kInvalidArgument, kResultFalse, kResultOk, tresult,
};
use std::ffi::c_void;
use std::sync::OnceLock;

/// The framework's table and ours. Every view shares both.
static TABLES: OnceLock<(IPlugViewVtbl, IPlugViewVtbl)> = OnceLock::new();

/// Points a view just made at our table.
///
/// # Safety
/// `view` must be null or an object of the framework's that nobody else holds yet.
pub(super) unsafe fn mend(view: *mut IPlugView) {
    if view.is_null() {
        return;
    }
    // SAFETY: by the caller's promise. Only the object's own slot is written.
    unsafe {
        let framework = *(*view).vtbl;
        let ours = IPlugViewVtbl { isPlatformTypeSupported, attached, onSize, ..framework };
        (*view).vtbl = &TABLES.get_or_init(|| (framework, ours)).1;
    }
}

unsafe extern "system" fn isPlatformTypeSupported(this: *mut IPlugView, kind: FIDString) -> tresult {
    let Some((framework, _)) = TABLES.get() else { return kResultFalse };
    // SAFETY: the host's own arguments, not null.
    if kind.is_null() { kInvalidArgument } else { unsafe { (framework.isPlatformTypeSupported)(this, kind) } }
}

unsafe extern "system" fn attached(this: *mut IPlugView, parent: *mut c_void, kind: FIDString) -> tresult {
    let Some((framework, _)) = TABLES.get() else { return kResultFalse };
    // SAFETY: the host's own arguments, not null.
    if kind.is_null() { kInvalidArgument } else { unsafe { (framework.attached)(this, parent, kind) } }
}

unsafe extern "system" fn onSize(this: *mut IPlugView, size: *mut ViewRect) -> tresult {
    let Some((framework, _)) = TABLES.get() else { return kResultFalse };
    // SAFETY: the host's own arguments, not null; the copy is changed in their place.
    unsafe {
        let Some(wanted) = size.as_ref() else { return kInvalidArgument };
        let mut allowed = *wanted;
        let is_known = (framework.checkSizeConstraint)(this, &mut allowed) == kResultOk;
        let (width, height) = (wanted.right - wanted.left, wanted.bottom - wanted.top);
        if is_known && (width < allowed.right - allowed.left || height < allowed.bottom - allowed.top) {
            return kResultFalse;
        }
        (framework.onSize)(this, size)
    }
}
