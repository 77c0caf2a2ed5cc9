//! Text on its way into HTML and SVG. Names of songs, mixes and listeners come from files and strangers; everything that
//! writes markup passes them through here.

/// Text made safe for HTML and SVG, inside elements and inside quoted attributes.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Control characters are no text; HTML forbids them even as references.
            other if other.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_markup_survives() {
        assert_eq!(super::escape("<b a='1'>\"&\u{7}é"), "&lt;b a=&#39;1&#39;&gt;&quot;&amp; é");
    }
}
