//! The amounts: how much of the network and of each effect is let through. Shown on demand.

use super::controls::Field;
use super::copies::Copies;
use super::edit::{Control, Edit};
use super::theme;
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
    let colors = theme::colors(ui.ctx());
    theme::panel(ui.painter(), rect);
    let effects = NAMES.into_iter().zip(params.amounts.each()).enumerate();
    let effects = effects.map(|(index, (name, param))| (Control::Amount(index), name, param));
    let fields: Vec<(Control, &str, &FloatParam)> =
        [(Control::Network, "Network", &params.network)].into_iter().chain(effects).collect();
    let count = fields.len() as f32;
    let width = (rect.width() - 2.0 * MARGIN - (count - 1.0) * GAP) / count;
    for (index, (control, name, param)) in fields.into_iter().enumerate() {
        let left = rect.left() + MARGIN + index as f32 * (width + GAP);
        let field = Rect::from_min_max(
            pos2(left, rect.bottom() - 7.0 - FIELD),
            pos2(left + width, rect.bottom() - 7.0),
        );
        theme::label(ui.painter(), pos2(left, rect.top() + 6.0), Align2::LEFT_TOP, name, 10.5, colors.dim);
        let turning = Turning::new(control, param).sideways().explained(help(control, copies));
        Field { turning, neutral: 0.0, color: colors.accent, name: "" }.draw(ui, field, edits);
    }
}

fn help(control: Control, copies: &Copies) -> &'static str {
    match control {
        Control::Network if copies.plain_crossfade => {
            "How much of the mix is the network's: this model shows no masks, so below 100 % it is crossfaded with the plain sum of the normalized stems."
        }
        Control::Network => {
            "How much of the mix is the network's: less of it brings its masks nearer to the plain sum of the normalized stems, which is heard at 0 %."
        }
        _ => {
            "How much of this correction of every stem is let through; 100 % is what the model's recipe says."
        }
    }
}
