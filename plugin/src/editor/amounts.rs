//! The amounts: how much of the network and of each effect is let through. Shown on demand.

use super::controls::Field;
use super::copies::Copies;
use super::edit::{Control, Edit};
use super::theme::{self, ACCENT, DIM};
use super::turning::Turning;
use crate::params::TributaryParams;
use crate::params::amounts::NAMES;
use egui::{Align2, Rect, Ui, pos2};
use nice_plug::prelude::FloatParam;

/// Height of the row, the gap above it included, in points.
pub const HEIGHT: f32 = 58.0;

const MARGIN: f32 = 10.0;
const GAP: f32 = 6.0;
const FIELD: f32 = 20.0;

/// Draws the row into `rect` and appends what the user did.
pub fn draw(ui: &Ui, rect: Rect, params: &TributaryParams, copies: &Copies, edits: &mut Vec<Edit>) {
    theme::panel(ui.painter(), rect);
    let network = if copies.plain_crossfade { "Network*" } else { "Network" };
    let effects = NAMES.into_iter().zip(params.amounts.each()).enumerate();
    let effects = effects.map(|(index, (name, param))| (Control::Amount(index), name, param));
    let fields: Vec<(Control, &str, &FloatParam)> =
        [(Control::Network, network, &params.network)].into_iter().chain(effects).collect();
    let count = fields.len() as f32;
    let width = (rect.width() - 2.0 * MARGIN - (count - 1.0) * GAP) / count;
    for (index, (control, name, param)) in fields.into_iter().enumerate() {
        let left = rect.left() + MARGIN + index as f32 * (width + GAP);
        let field = Rect::from_min_max(
            pos2(left, rect.bottom() - 7.0 - FIELD),
            pos2(left + width, rect.bottom() - 7.0),
        );
        theme::label(ui.painter(), pos2(left, rect.top() + 6.0), Align2::LEFT_TOP, name, 10.5, DIM);
        let turning = Turning::new(control, param).sideways();
        Field { turning, neutral: 0.0, color: ACCENT }.draw(ui, field, edits);
    }
}
