//! Renders the editor's states to PNG files, to be looked at. A developer's tool, not a test: it needs a Vulkan or
//! OpenGL adapter (Mesa's software renderer will do) and the feature `pictures`.
//!
//! `cargo run --release -p tributary --features pictures --example editor_pictures -- FOLDER`

#![allow(unsafe_code)] // The framework lists parameters as pointers.

use egui_kittest::Harness;
use nice_plug::prelude::Params;
use std::path::{Path, PathBuf};
use tributary::editor::{self, Copies, LatencyCopy, LearningCopy, MixCopy, ModelCopy, ModelState, StemCopy};
use tributary::params::TributaryParams;
use tributary_engine::LatencyMode;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("which folder?")?);
    std::fs::create_dir_all(&folder)?;
    let [width, height] = editor::SIZE.map(|points| points as f32);
    let [narrow, low] = editor::MIN_SIZE.map(|points| points as f32);
    let latency = |latency: LatencyCopy| Copies { latency, ..playing() };
    let amounts = |size: [f32; 2]| (Copies { amounts_open: true, ..playing() }, size);
    let (open, small_open) = (amounts([width, height]), amounts([narrow, low]));
    let states: [(&str, Copies, [f32; 2]); 14] = [
        ("playing", playing(), [width, height]),
        ("small", playing(), [narrow, low]),
        ("large", playing(), [1500.0, 900.0]),
        (
            "silent",
            Copies { stems: Default::default(), mix: MixCopy::default(), ..playing() },
            [width, height],
        ),
        ("loading", with(ModelState::Loading(0.4)), [width, height]),
        ("failed", failed(), [width, height]),
        ("fresh", Copies::default(), [width, height]),
        ("listening", Copies { learning: listening(), ..playing() }, [width, height]),
        ("analyzing", Copies { learning: analyzing(), ..playing() }, [narrow, low]),
        (
            "pending",
            latency(LatencyCopy { mode: LatencyMode::Low, pending: true, ..playing().latency }),
            [narrow, low],
        ),
        (
            "one window",
            latency(LatencyCopy { offered: [false, true, false, true], ..playing().latency }),
            [width, height],
        ),
        ("learned", Copies { learning: learned(), ..playing() }, [width, height]),
        ("amounts", open.0, open.1),
        ("amounts small", small_open.0, small_open.1),
    ];
    for (name, copies, size) in states {
        render(copies, size, &folder.join(format!("{name}.png")))?;
        println!("{name}");
    }
    Ok(())
}

fn render(copies: Copies, size: [f32; 2], path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let params = TributaryParams::default();
    // Where the amounts are shown, something is asked for as well.
    if copies.amounts_open {
        steer(&params);
    }
    let mut harness = Harness::builder().with_size(size).wgpu().build_ui(move |ui| {
        ui.ctx().set_theme(egui::Theme::Dark);
        editor::draw(ui, &params, &copies);
    });
    harness.run();
    harness.render()?.save(path)?;
    Ok(())
}

/// Turns some of what can be turned.
fn steer(params: &TributaryParams) {
    let asked = [
        ("vocals_trim", 0.7),
        ("bass_trim", 0.4),
        ("bass_solo", 1.0),
        ("drums_mute", 1.0),
        ("other_leave_alone", 1.0),
        ("network", 0.6),
        ("loudness", 0.35),
        ("delta", 1.0),
    ];
    for (id, param, _) in params.param_map() {
        if let Some((_, position)) = asked.iter().find(|(asked, _)| *asked == id) {
            // SAFETY: the parameters outlive the pointer.
            unsafe { param._internal_set_normalized_value(*position) };
        }
    }
}

fn with(state: ModelState) -> Copies {
    let mut copies = playing();
    copies.model.state = state;
    copies
}

fn failed() -> Copies {
    let reason = "ONNX Runtime was not found. Put libonnxruntime.so.1.28.0 beside the plug-in (folder Tributary) or set ORT_DYLIB_PATH.";
    with(ModelState::Failed(reason.into()))
}

fn listening() -> LearningCopy {
    LearningCopy::Listening { captured_s: 83.0, kept_s: 12.0, heard: [true, true, false, true] }
}

fn analyzing() -> LearningCopy {
    LearningCopy::Analyzing { progress: 0.37, heard: [true; 4] }
}

fn learned() -> LearningCopy {
    LearningCopy::Learned {
        length_s: 211.0,
        unix_s: 1_780_000_000,
        stems: [true; 4],
        averages: true,
        message: None,
    }
}

/// The default model's parts in the standard mode at 48 kHz and blocks of 512 frames.
fn parts() -> Vec<(String, usize)> {
    [
        ("normalizer hop", 1_115),
        ("equalization filter", 1_115),
        ("panning window", 1_114),
        ("lookahead", 9_892),
        ("front end", 139),
        ("crossfade", 1_115),
        ("hop", 11_981),
        ("limiter", 108),
        ("resampling", 282),
        ("computing", 11_982),
        ("fade", 289),
        ("block", 512),
    ]
    .map(|(name, frames)| (name.to_owned(), frames))
    .into()
}

/// With the default model: its recipe has width and loudness.
fn playing() -> Copies {
    let stem = |before: f32, after: f32, width: &str, gain: &str| StemCopy {
        signal: true,
        seen: true,
        before_lufs: Some(before),
        after_lufs: Some(after),
        corrections: vec![("Width", width.into()), ("Gain", format!("{gain} dB"))],
        decision: format!("as it came; level {gain} dB"),
    };
    let mut bass = stem(-19.8, -24.6, "as it is", "−4.8");
    bass.signal = false;
    Copies {
        stems: [
            stem(-27.3, -20.1, "−38.5 dB side", "+7.2"),
            bass,
            stem(-14.2, -19.3, "−18.9 dB side", "−5.1"),
            stem(-22.0, -25.4, "as it is", "−3.4"),
        ],
        mix: MixCopy {
            momentary_lufs: Some(-14.2),
            integrated_lufs: Some(-15.1),
            peak_db: Some(-4.1),
            true_peak_db: Some(-1.0),
        },
        model: ModelCopy {
            name: "default".into(),
            version: "0.1.0".into(),
            trained_on: "Generated songs.".into(),
            state: ModelState::Ready,
            ..ModelCopy::default()
        },
        latency: LatencyCopy {
            sample_rate_hz: 48_000.0,
            total_samples: parts().iter().map(|(_, frames)| frames).sum(),
            parts: parts(),
            mode: LatencyMode::Standard,
            offered: [true; 4],
            ..LatencyCopy::default()
        },
        load_ratio: 0.23,
        underruns: 2,
        notices: Vec::new(),
        amounts_open: false,
        plain_crossfade: false,
        learning: LearningCopy::Adaptive { message: None },
    }
}
