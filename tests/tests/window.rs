//! The built plug-in's window: no smaller than its layout, and of the size that the project was saved with. On a display of
//! its own (`Xvfb`), in a process of its own, because the display is named by an environment variable.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod common;

use std::time::{Duration, Instant};

use clap_host::{Instance, display};
use common::Plugin;

/// Longest wait for a window to take its size.
const PATIENCE: Duration = Duration::from_secs(20);

/// A window is opened and closed at once this often.
const HASTY_TIMES: usize = 20;

/// The size that is saved with the project.
fn saved_size(instance: &mut Instance) -> serde_json::Value {
    let state = instance.save_state().unwrap().json().unwrap();
    let text = state["fields"]["window"].as_str().unwrap().to_owned();
    serde_json::from_str::<serde_json::Value>(&text).unwrap()["size"].clone()
}

fn wait_for_size(instance: &mut Instance, size: [u32; 2]) {
    let start = Instant::now();
    while instance.window_size() != Some(size) {
        assert!(start.elapsed() < PATIENCE, "{:?} instead of {size:?}", instance.window_size());
        instance.serve_requests();
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_window_keeps_its_size_and_none_is_too_small() {
    if !display::start().unwrap() {
        return;
    }
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let instance = &mut plugin.instance;
    let usual = instance.window_size().unwrap();
    assert!(!instance.resize_window(usual), "not open");
    instance.open_window().unwrap();
    assert_eq!(instance.window_size(), Some(usual));

    let least = instance.adjusted_window_size([1, 1]).unwrap();
    assert!(least[0] > 400 && least[1] > 300, "{least:?}");
    let [width, height] = least;
    for small in [[1, 1], [0, 0], [width - 1, height], [width, height - 1], [width - 1, 4000]] {
        assert!(!instance.resize_window(small), "{small:?}");
    }
    assert_eq!(instance.window_size(), Some(usual), "refused sizes change nothing");
    for allowed in [least, [width + 111, height + 77]] {
        assert_eq!(instance.adjusted_window_size(allowed), Some(allowed));
        assert!(instance.resize_window(allowed), "{allowed:?}");
        wait_for_size(instance, allowed);
    }
    let kept = [width + 111, height + 77];
    assert_eq!(saved_size(instance), format!("{}x{}", kept[0], kept[1]));
    let saved = instance.save_state().unwrap();
    instance.close_window();
    assert_eq!(instance.window_size(), Some(kept));

    // Another instance: as it was saved, before and after its window opens; an older project has the usual size.
    let mut other = plugin.another();
    other.load_state(&saved).unwrap();
    assert_eq!(other.window_size(), Some(kept));
    other.open_window().unwrap();
    wait_for_size(&mut other, kept);
    other.close_window();
    for _ in 0..HASTY_TIMES {
        other.open_window().unwrap();
        other.close_window();
    }
    let mut json = saved.json().unwrap();
    json["fields"].as_object_mut().unwrap().remove("window");
    other.load_state(&clap_host::state::SavedState::from_json(&json)).unwrap();
    assert_eq!(other.window_size(), Some(usual));
}
