//! Values as users type them into a host's field, read generously: what the plug-in itself displays, and what people write
//! by hand – “+3.5 dB”, “3,5”, “−6 dB” with the typographic minus of the editor, “50%”, “On”. Everything here ends in a
//! number or in nothing; a text that could mean two things means nothing.

/// Minus signs and dashes that are typed or pasted for a minus.
const MINUSES: [char; 5] = ['\u{2212}', '\u{2010}', '\u{2011}', '\u{2013}', '\u{ff0d}'];

/// A number in `unit`, which may be left out. Infinite for “inf” and “∞”: a range then gives its end.
pub fn number(text: &str, unit: &str) -> Option<f32> {
    let plain = plain(text);
    let unit = self::plain(unit);
    let digits = plain.strip_suffix(unit.as_str()).unwrap_or(&plain);
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, digits.strip_prefix('+').unwrap_or(digits)),
    };
    if matches!(digits, "inf" | "infinity" | "∞") {
        return Some(sign * f32::INFINITY);
    }
    // A second sign, a word that Rust reads as a number, or digits of a foreign notation.
    if !digits.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '.' | ',')) {
        return None;
    }
    let number: f32 = with_decimal_point(digits)?.parse().ok()?;
    number.is_finite().then_some(sign * number)
}

/// Whether a switch is on.
pub fn switch(text: &str) -> Option<bool> {
    match plain(text).as_str() {
        "on" | "true" | "yes" | "bypass" | "bypassed" => Some(true),
        "off" | "false" | "no" | "notbypassed" => Some(false),
        text => match number(text, "")? {
            1.0 => Some(true),
            0.0 => Some(false),
            _ => None,
        },
    }
}

/// The one of `names` that is meant, whatever its case and spaces.
pub fn choice<'a>(text: &str, names: &[&'a str]) -> Option<&'a str> {
    let wanted = plain(text);
    names.iter().copied().find(|name| plain(name) == wanted)
}

/// Without spaces of any kind, in lower case, with the minus of programs.
fn plain(text: &str) -> String {
    let characters = text.chars().filter(|c| !c.is_whitespace() && *c != '\u{feff}');
    let plain = characters.map(|c| if MINUSES.contains(&c) { '-' } else { c });
    plain.flat_map(char::to_lowercase).collect()
}

/// The last of several separators is the decimal one, and a lone comma is it too.
fn with_decimal_point(digits: &str) -> Option<String> {
    let Some(comma) = digits.rfind(',') else { return Some(digits.to_owned()) };
    match digits.rfind('.') {
        Some(point) if point > comma => Some(digits.replace(',', "")),
        Some(_) => Some(digits.replace('.', "").replace(',', ".")),
        None if digits.matches(',').count() == 1 => Some(digits.replace(',', ".")),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, wanted) in [
            ("3.5", 3.5),
            ("+3.5 dB", 3.5),
            ("3,5", 3.5),
            ("3,5dB", 3.5),
            (" -6.0 dB ", -6.0),
            ("\u{2212}6.0 dB", -6.0),
            ("\u{2212} 6 DB", -6.0),
            ("\u{2013}6", -6.0),
            ("6\u{a0}dB", 6.0),
            ("\u{202f}6\u{202f}db\u{feff}", 6.0),
            (".5", 0.5),
            (",5", 0.5),
            ("1.", 1.0),
            ("1,000.5", 1000.5),
            ("1.000,5", 1000.5),
            ("-inf dB", f32::NEG_INFINITY),
            ("\u{2212}∞", f32::NEG_INFINITY),
            ("+Inf", f32::INFINITY),
        ] {
            assert_eq!(number(text, " dB"), Some(wanted), "{text:?}");
        }
        assert_eq!(number("50 %", " %"), Some(50.0));
        assert_eq!(number("50%", " %"), Some(50.0));
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in [
            "", " ", "dB", "-", "+", "--6", "+-6", "-+6", "six", "nan", "NaN dB", "6 Hz", "6 dB 7", "1,2,3",
            "1e99", "6 dB dB",
        ] {
            assert_eq!(number(text, " dB"), None, "{text:?}");
        }
        assert_eq!(number("50 dB", " %"), None);
    }

    #[test]
    fn switches_and_choices() {
        for text in ["on", "ON", "1", "1.0", "1,0", "true", "True", " yes ", "Bypassed", "bypass"] {
            assert_eq!(switch(text), Some(true), "{text:?}");
        }
        for text in ["off", "Off", "0", "0.00", "-0", "false", "no", "Not Bypassed", "NOT  BYPASSED"] {
            assert_eq!(switch(text), Some(false), "{text:?}");
        }
        for text in ["", "maybe", "2", "0.5", "-1", "onn"] {
            assert_eq!(switch(text), None, "{text:?}");
        }
        let names = ["Bus", "Sum of stems"];
        assert_eq!(choice("sum  OF stems ", &names), Some("Sum of stems"));
        assert_eq!(choice("bus", &names), Some("Bus"));
        assert_eq!(choice("sum", &names), None);
    }
}
