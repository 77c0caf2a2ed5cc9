//! One stem in full: what is measured and corrected of it, what the network does to it, how it ended up in the mix – a page
//! each. Stands under the strips, which then show their levels only.

mod compressor;
mod corrections;
mod frequencies;
mod in_mix;
mod network;
mod tone;

use super::controls;
use super::copies::{Copies, Page};
use super::edit::Edit;
use super::theme;
use crate::params::TributaryParams;
use egui::text::LayoutJob;
use egui::{Align2, FontId, Id, Rect, Sense, Ui, pos2, vec2};
use tributary_dsp::Stem;

const MARGIN: f32 = 12.0;
const HEADING: f32 = 30.0;
/// Width of the buttons that choose a page, and their height.
const PAGES: f32 = 264.0;
const PAGE_HEIGHT: f32 = 20.0;
/// Lines of what was decided.
const DECISION_ROWS: usize = 2;

/// Draws the stem into `rect` and appends what the user did.
pub fn draw(
    ui: &Ui,
    rect: Rect,
    stem: Stem,
    params: &TributaryParams,
    copies: &Copies,
    edits: &mut Vec<Edit>,
) {
    theme::panel(ui.painter(), rect);
    let inner = rect.shrink2(vec2(MARGIN, 0.0));
    let (head, page) = inner.split_top_bottom_at_y(inner.top() + HEADING);
    heading(ui, head, stem, copies, edits);
    match copies.page {
        Page::Corrections => corrections::draw(ui, page, stem, params, &copies.stems[stem.index()], edits),
        Page::Network => network::draw(ui, page, stem, &copies.network),
        Page::InMix => in_mix::draw(ui, page, stem, copies.explanation.as_deref()),
    }
}

/// Sign and name, what was decided, and the choice of a page.
fn heading(ui: &Ui, rect: Rect, stem: Stem, copies: &Copies, edits: &mut Vec<Edit>) {
    let (painter, colors) = (ui.painter(), theme::colors(ui.ctx()));
    let copy = &copies.stems[stem.index()];
    let y = rect.center().y + 1.0;
    theme::sign(painter, pos2(rect.left() + 5.0, y), 5.0, stem, copy.signal);
    let at = pos2(rect.left() + 18.0, y);
    let name = theme::label(painter, at, Align2::LEFT_CENTER, &stem.name().to_uppercase(), 12.5, colors.text);
    let pages = Rect::from_min_max(
        pos2(rect.right() - PAGES, y - PAGE_HEIGHT / 2.0),
        pos2(rect.right(), y + PAGE_HEIGHT / 2.0),
    );
    let chosen = Page::ALL.iter().position(|page| *page == copies.page).unwrap_or(0);
    if let Some(choice) = controls::choice(ui, pages, &Page::ALL.map(Page::name), chosen) {
        edits.push(Edit::ShowPage(Page::ALL[choice]));
    }
    let words =
        Rect::from_min_max(pos2(name.right() + 14.0, rect.top()), pos2(pages.left() - 10.0, rect.bottom()));
    let font = FontId::proportional(10.5);
    let mut job = LayoutJob::simple(copy.decision.clone(), font, colors.dim, words.width());
    job.wrap.max_rows = DECISION_ROWS;
    let galley = painter.layout_job(job);
    let at = pos2(words.left(), y - galley.size().y / 2.0);
    painter.galley(at, galley, colors.dim);
    if !copy.decision.is_empty() {
        ui.interact(words, Id::unique("decision in full"), Sense::hover()).on_hover_text(&copy.decision);
    }
}
