//! The profile's row: whether corrections adapt or were learned, what is being listened to, and the buttons for it.
//!
//! Learning is an action and not a parameter: no host can automate it, and nothing of it passes the audio thread.

use super::controls;
use super::copies::{Copies, LearningCopy};
use super::edit::{Edit, LearningAction};
use super::theme::{self, Palette};
use egui::{Align2, Color32, CornerRadius, Id, Painter, Popup, Rect, Sense, Ui, pos2, vec2};
use tributary_dsp::Stem;

/// Height of the row, in points.
pub const HEIGHT: f32 = 38.0;

const BUTTON: f32 = 26.0;
/// Widths of the two buttons' places, and of the menu of files.
const SLOTS: [f32; 2] = [68.0, 124.0];
const FILES: f32 = 58.0;

/// Draws the row into `rect` and appends what the user did.
pub fn draw(ui: &Ui, rect: Rect, copies: &Copies, edits: &mut Vec<Edit>) {
    let colors = theme::colors(ui.ctx());
    let painter = ui.painter().with_clip_rect(rect);
    theme::panel(&painter, rect);
    let y = rect.center().y;
    let name =
        theme::label(&painter, pos2(rect.left() + 14.0, y), Align2::LEFT_CENTER, "Profile", 12.0, colors.dim);
    let mut right = rect.right() - 8.0;
    for (slot, width) in buttons(&copies.learning).into_iter().zip(SLOTS).rev() {
        let button = Rect::from_min_max(pos2(right - width, y - BUTTON / 2.0), pos2(right, y + BUTTON / 2.0));
        if let Some((action, text)) = slot
            && controls::toggle(ui, button, text, false, colors.accent)
        {
            edits.push(Edit::Learning(action));
        }
        right = button.left() - 6.0;
    }
    if copies.learning != LearningCopy::Unavailable {
        let button = Rect::from_min_max(pos2(right - FILES, y - BUTTON / 2.0), pos2(right, y + BUTTON / 2.0));
        files(ui, button, copies, edits);
        right = button.left() - 6.0;
    }
    let (color, words, stems) = words(&copies.learning, colors);
    let mut left = name.right() + 24.0;
    painter.circle_filled(pos2(left, y), 4.0, color);
    left += 12.0;
    if let Some(stems) = stems {
        left = lamps(ui, &painter, left, y, stems);
    }
    if let LearningCopy::Analyzing { progress, .. } = copies.learning {
        left = gauge(&painter, left, y, progress);
    }
    let galley = painter.layout_no_wrap(words.clone(), egui::FontId::proportional(12.0), colors.text);
    let text = Rect::from_min_max(pos2(left, rect.top()), pos2(right - 8.0, rect.bottom()));
    painter.with_clip_rect(text).galley(pos2(left, y - galley.size().y / 2.0), galley, colors.text);
    ui.interact(text, Id::unique("learning"), Sense::hover()).on_hover_text(words);
}

/// Keeps what was learned as a file that belongs to no project, and lists those there are.
fn files(ui: &Ui, rect: Rect, copies: &Copies, edits: &mut Vec<Edit>) {
    let accent = theme::colors(ui.ctx()).accent;
    let response = controls::button(ui, rect, Id::unique("learned files"), "Files", false, accent);
    Popup::menu(&response).show(|ui| {
        let is_learned = matches!(copies.learning, LearningCopy::Learned { .. });
        if ui.add_enabled(is_learned, egui::Button::new("Keep what was learned as a file")).clicked() {
            edits.push(Edit::KeepLearned);
            ui.close();
        }
        let export =
            ui.selectable_label(copies.exports_next, "Write the normalized stems with the next Learn");
        if export.clicked() {
            edits.push(Edit::ExportNext(!copies.exports_next));
        }
        for (index, name) in copies.learned_files.iter().enumerate() {
            if ui.button(format!("Load “{name}”")).clicked() {
                edits.push(Edit::FetchLearned(index));
                ui.close();
            }
        }
    });
    response.on_hover_text(
        "Learned profiles as files that belong to no project, as tributary profile --learned makes them.",
    );
}

/// What gives up, and what goes on, each in a place of its own: who clicks twice gives nothing up.
fn buttons(copy: &LearningCopy) -> [Option<(LearningAction, &'static str)>; 2] {
    use LearningAction::{Analyze, Cancel, Forget, Learn};
    match copy {
        LearningCopy::Unavailable => [None, None],
        LearningCopy::Adaptive { .. } => [None, Some((Learn, "Learn"))],
        LearningCopy::Listening { .. } => [Some((Cancel, "Cancel")), Some((Analyze, "Stop and analyze"))],
        LearningCopy::Analyzing { .. } => [Some((Cancel, "Cancel")), None],
        LearningCopy::Learned { .. } => [Some((Forget, "Forget")), Some((Learn, "Learn again"))],
    }
}

type Words = (Color32, String, Option<[bool; Stem::COUNT]>);

fn words(copy: &LearningCopy, colors: &Palette) -> Words {
    let or = |message: &Option<String>, usual: String| match message {
        Some(message) => (Some(colors.bad), message.clone()),
        None => (None, usual),
    };
    match copy {
        LearningCopy::Unavailable => (colors.dim, "Adaptive".into(), None),
        LearningCopy::Adaptive { message } => {
            let usual =
                "Adaptive: corrections follow the song. Learn measures it as a whole while it plays once.";
            let (color, text) = or(message, usual.into());
            (color.unwrap_or(colors.accent), text, None)
        }
        LearningCopy::Listening { captured_s, kept_s, heard, so_far } => {
            let kept = if *kept_s > 0.0 {
                format!(" \u{2013} the longest stretch counts, so far {}", minutes(kept_s.max(*captured_s)))
            } else {
                " \u{2013} play the song from start to end".into()
            };
            let found = if so_far.is_empty() { String::new() } else { format!("; so far {so_far}") };
            (colors.wait, format!("Listening {}{kept}{found}", minutes(*captured_s)), Some(*heard))
        }
        LearningCopy::Analyzing { progress, heard } => {
            (colors.wait, format!("Analyzing {:.0} %", progress * 100.0), Some(*heard))
        }
        LearningCopy::Learned { length_s, unix_s, stems, averages, message } => {
            let too = if *averages { ", with the network's averages" } else { "" };
            let usual = format!("Learned on {} from {}{too}", date(*unix_s), minutes(*length_s));
            let (color, text) = or(message, usual);
            (color.unwrap_or(colors.good), text, Some(*stems))
        }
    }
}

/// One lamp per stem; returns where they end.
fn lamps(ui: &Ui, painter: &Painter, left: f32, y: f32, lit: [bool; Stem::COUNT]) -> f32 {
    for (stem, lit) in Stem::ALL.into_iter().zip(lit) {
        let center = pos2(left + 6.0 + 14.0 * stem.index() as f32, y);
        theme::sign(painter, center, 4.5, stem, lit);
        let state = if lit { "heard" } else { "not heard: passes without corrections" };
        let lamp = Rect::from_center_size(center, vec2(14.0, 20.0));
        ui.interact(lamp, Id::unique("learned stem").with(stem.index()), Sense::hover())
            .on_hover_text(format!("{}: {state}", stem.name()));
    }
    left + 14.0 * Stem::COUNT as f32 + 10.0
}

fn gauge(painter: &Painter, left: f32, y: f32, progress: f32) -> f32 {
    let colors = theme::colors(painter.ctx());
    let gauge = Rect::from_min_size(pos2(left, y - 4.0), vec2(120.0, 8.0));
    painter.rect_filled(gauge, CornerRadius::same(2), colors.well);
    let filled = vec2(gauge.width() * progress.clamp(0.0, 1.0), gauge.height());
    painter.rect_filled(Rect::from_min_size(gauge.min, filled), CornerRadius::same(2), colors.wait);
    gauge.right() + 12.0
}

/// `3:07`.
fn minutes(seconds: f64) -> String {
    let seconds = seconds.clamp(0.0, 1e6) as u64;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// The day in UTC, ISO 8601. Counts years from March, so that leap days come last (Fliegel and Van Flandern, 1968).
fn date(unix_s: u64) -> String {
    const DAYS_PER_ERA: u64 = 146_097;
    let days = unix_s.min(u64::from(u32::MAX) * 64) / 86_400 + 719_468;
    let (era, day) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * day + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year}-{month:02}-{:02}", day - (153 * march_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_minutes_read_well() {
        for (unix_s, expected) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_767_225_599, "2025-12-31"),
            (1_767_225_600, "2026-01-01"),
        ] {
            assert_eq!(date(unix_s), expected);
        }
        assert!(!date(u64::MAX).is_empty());
        assert_eq!([minutes(0.4), minutes(187.9), minutes(f64::NAN)], ["0:00", "3:07", "0:00"]);
    }

    #[test]
    fn every_state_says_what_it_is_and_offers_what_can_be_done() {
        let learned = |message: Option<&str>| LearningCopy::Learned {
            length_s: 65.0,
            unix_s: 0,
            stems: [true; 4],
            averages: true,
            message: message.map(str::to_owned),
        };
        let heard = [true, false, true, false];
        let listening = |captured_s, kept_s, so_far: &str| LearningCopy::Listening {
            captured_s,
            kept_s,
            heard,
            so_far: so_far.to_owned(),
        };
        for (copy, said, offered) in [
            (LearningCopy::Unavailable, "Adaptive", 0),
            (LearningCopy::Adaptive { message: None }, "follow the song", 1),
            (LearningCopy::Adaptive { message: Some("No room.".into()) }, "No room.", 1),
            (listening(61.0, 0.0, ""), "Listening 1:01", 2),
            (listening(1.0, 125.0, ""), "so far 2:05", 2),
            (listening(61.0, 0.0, "bass +1.0 dB"), "end; so far bass +1.0 dB", 2),
            (LearningCopy::Analyzing { progress: 0.5, heard }, "Analyzing 50 %", 1),
            (learned(None), "Learned on 1970-01-01 from 1:05, with the network's averages", 2),
            (learned(Some("Nothing heard.")), "Nothing heard.", 2),
        ] {
            assert!(words(&copy, &theme::DARK).1.contains(said), "{copy:?}");
            assert_eq!(buttons(&copy).iter().flatten().count(), offered, "{copy:?}");
        }
    }
}
