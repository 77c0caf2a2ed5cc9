//! Pages of eight parameters for the knobs of a controller: the mix, the stems, and one page for each effect. Hosts that know
//! CLAP's remote controls show them in this order; VST3 has no such thing.
//!
//! On the page of an effect the upper four knobs have its amount for all stems, the lower four that of each stem, so that
//! a stem is under the same knob on every page.

use nice_plug::prelude::*;
use tributary_dsp::Stem;

use crate::params::{TributaryParams, amounts};

/// Places of a page's upper row that an effect leaves empty: all but the first.
const EMPTY: usize = 3;

/// Adds all pages.
pub fn add(params: &TributaryParams, context: &mut impl RemoteControlsContext) {
    let stems = Stem::ALL.map(|stem| params.stem(stem));
    context.add_section("Mix", |section| {
        section.add_page("Mix", |page| {
            for share in [&params.mix, &params.network, &params.gain_db] {
                page.add_param(share);
            }
            page.add_param(&params.bypass);
            page.add_param(&params.dry_source);
            page.add_param(&params.match_loudness);
            page.add_param(&params.delta);
        });
    });
    context.add_section("Stems", |section| {
        section.add_page("Trim and mute", |page| {
            stems.iter().for_each(|stem| page.add_param(&stem.trim_db));
            stems.iter().for_each(|stem| page.add_param(&stem.mute));
        });
        section.add_page("Solo and leave alone", |page| {
            stems.iter().for_each(|stem| page.add_param(&stem.solo));
            stems.iter().for_each(|stem| page.add_param(&stem.leave_alone));
        });
        section.add_page("Lock", |page| stems.iter().for_each(|stem| page.add_param(&stem.lock)));
    });
    context.add_section("Effects", |section| {
        for (effect, name) in amounts::NAMES.into_iter().enumerate() {
            section.add_page(name, |page| {
                page.add_param(params.amounts.each()[effect]);
                (0..EMPTY).for_each(|_| page.add_spacer());
                stems.iter().for_each(|stem| page.add_param(stem.amounts.each()[effect]));
            });
        }
    });
}
