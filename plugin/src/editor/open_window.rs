//! An open window as the host holds it: what the framework's own handle leaves to chance on X11, where every window has a
//! thread, is made certain here. The window runs before the host may close it, and its thread has ended when closing
//! returns.
//!
//! The framework forgets an order to close that comes before the thread's loop begins, and the host would wait forever; and
//! it does not always wait for the thread, whose code and graphics driver a host may unload right after.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use nice_plug::editor::dpi::NativeSize;
use nice_plug::editor::{EditorHandle, Modifiers, ParentWindowHandle, SpawnedEditor, VirtualKeyCode};
use nice_plug_egui::{EguiEditorHandle, baseview};

/// Longest time that closing a window may take. A graphics driver that hangs must not take the host with it.
const LONGEST_CLOSE: Duration = Duration::from_secs(2);

thread_local! {
    /// Lives of windows whose thread this is.
    static LIVES: RefCell<Vec<Life>> = const { RefCell::new(Vec::new()) };
}

/// Whoever holds this keeps [`OpenWindow`] from having closed.
#[derive(Debug)]
pub struct Life {
    _held: Sender<Infallible>,
}

impl Life {
    /// Lasts as long as the thread that calls this, if windows have threads of their own here; otherwise it comes back, to
    /// last as long as the window's contents.
    #[must_use]
    pub fn of_this_thread(self) -> Option<Self> {
        if cfg!(target_os = "linux") {
            LIVES.with_borrow_mut(|lives| lives.push(self));
            return None;
        }
        Some(self)
    }
}

/// A life, and what tells that it is over.
pub fn life() -> (Life, Receiver<Infallible>) {
    let (held, ended) = channel();
    (Life { _held: held }, ended)
}

/// The window.
pub struct OpenWindow {
    window: Option<baseview::Window>,
    ended: Receiver<Infallible>,
}

impl OpenWindow {
    /// Puts the framework's window and its handle together; `ended` is of the [`Life`] that the window was given. Waits
    /// until the window runs: it is asked for the size that it has, and the answer comes from its loop.
    pub fn around(
        spawned: SpawnedEditor<EguiEditorHandle>,
        ended: Receiver<Infallible>,
    ) -> SpawnedEditor<OpenWindowHandle> {
        let SpawnedEditor { handle, window } = spawned;
        // A window that cannot answer has closed by itself.
        let _ = window.resize(window.size().physical);
        let window = Self { window: Some(window), ended };
        SpawnedEditor { handle: OpenWindowHandle(handle), window }
    }

    /// Hands a request to the window, as long as it is there.
    fn request(
        &self,
        request: impl FnOnce(&baseview::Window) -> Result<(), baseview::Error>,
    ) -> Result<(), baseview::Error> {
        self.window.as_ref().map_or(Ok(()), request)
    }
}

impl Drop for OpenWindow {
    fn drop(&mut self) {
        self.window = None;
        // It ends by the other side being dropped: nothing is ever sent.
        let _ = self.ended.recv_timeout(LONGEST_CLOSE);
    }
}

/// The framework's handle, for an [`OpenWindow`].
pub struct OpenWindowHandle(EguiEditorHandle);

impl EditorHandle for OpenWindowHandle {
    type Window = OpenWindow;
    type Error = baseview::Error;

    fn run_until_closed(mut window: Self::Window) -> Result<(), Self::Error> {
        window.window.take().map_or(Ok(()), EguiEditorHandle::run_until_closed)
    }

    fn set_parent(&self, parent: ParentWindowHandle, window: &Self::Window) -> Result<(), Self::Error> {
        window.request(|window| self.0.set_parent(parent, window))
    }

    fn show(&self, window: &Self::Window) -> Result<(), Self::Error> {
        window.request(|window| self.0.show(window))
    }

    fn hide(&self, window: &Self::Window) -> Result<(), Self::Error> {
        window.request(|window| self.0.hide(window))
    }

    fn set_size(&self, new_size: NativeSize<u32>, window: &Self::Window) -> Result<(), Self::Error> {
        window.request(|window| self.0.set_size(new_size, window))
    }

    fn host_main_thread_callback(&self, window: &Self::Window) {
        if let Some(window) = &window.window {
            self.0.host_main_thread_callback(window);
        }
    }

    fn adjust_size(&self, new_size: NativeSize<u32>, window: &Self::Window) -> Option<NativeSize<u32>> {
        self.0.adjust_size(new_size, window.window.as_ref()?)
    }

    fn set_fallback_scale_factor(&self, factor: f64, window: &Self::Window) -> Result<(), Self::Error> {
        window.request(|window| self.0.set_fallback_scale_factor(factor, window))
    }

    fn on_virtual_key_from_host(&self, key: VirtualKeyCode, is_down: bool, modifiers: Modifiers) -> bool {
        self.0.on_virtual_key_from_host(key, is_down, modifiers)
    }

    fn state_changed(&self) {
        self.0.state_changed();
    }

    fn param_value_changed(&self, id: &str, normalized_value: f32) {
        self.0.param_value_changed(id, normalized_value);
    }

    fn param_modulation_changed(&self, id: &str, modulation_offset: f32) {
        self.0.param_modulation_changed(id, modulation_offset);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::TryRecvError;

    use super::*;

    #[test]
    fn a_life_lasts_as_long_as_the_windows_thread() {
        let (life, ended) = life();
        let (go, wait) = channel::<()>();
        let thread = std::thread::spawn(move || {
            let kept = life.of_this_thread();
            let _ = wait.recv();
            drop(kept);
        });
        assert_eq!(ended.try_recv(), Err(TryRecvError::Empty));
        drop(go);
        thread.join().expect("no panic");
        assert_eq!(ended.try_recv(), Err(TryRecvError::Disconnected));
    }
}
