//! What text is taken: normalised, without what could deceive, and never empty to the eye.

use std::borrow::Cow;

use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::limits::{
    MAX_AVATAR_BYTES, MAX_CLIENT_ID_CHARS, MAX_COMBINING_MARKS, MAX_FILE_NAME_BYTES,
    MAX_QUERY_CHARS, MAX_TEXT_BYTES, MAX_TITLE_CHARS,
};
use crate::error::{Error, Result};

/// The text of a message: NFC, without control characters but `\n` and `\t`, without unpaired
/// bidi controls; something must show, and it must fit.
pub fn message_text(raw: &str) -> Result<String> {
    // NFC can lengthen a text threefold; what is far over the limit is not normalised at all.
    if raw.len() > 4 * MAX_TEXT_BYTES {
        return Err(Error::over_limit("text", MAX_TEXT_BYTES, "bytes of UTF-8"));
    }
    let text = clean(raw, |c| c == '\n' || c == '\t', "text")?;
    if text.len() > MAX_TEXT_BYTES {
        return Err(Error::over_limit("text", MAX_TEXT_BYTES, "bytes of UTF-8"));
    }
    Ok(text)
}

/// The same, but that it may be empty where there are files beside it.
pub fn text_beside(files: usize, raw: &str) -> Result<String> {
    if raw.is_empty() && files > 0 { Ok(String::new()) } else { message_text(raw) }
}

/// A title: one line, 1 to 128 characters.
pub fn title(raw: &str) -> Result<String> {
    let too_long = || Error::over_limit("title", MAX_TITLE_CHARS, "characters");
    if raw.len() > 16 * MAX_TITLE_CHARS {
        return Err(too_long());
    }
    let text = clean(raw, |_| false, "title")?;
    let text = text.trim().to_owned();
    if text.chars().count() > MAX_TITLE_CHARS { Err(too_long()) } else { Ok(text) }
}

/// The address of a picture, https and plain ASCII; empty: none.
pub fn avatar_url(raw: &str) -> Result<String> {
    if raw.len() > MAX_AVATAR_BYTES {
        return Err(Error::over_limit("avatar_url", MAX_AVATAR_BYTES, "bytes"));
    }
    if is_avatar(raw) && raw.chars().all(|c| c.is_ascii_graphic()) {
        Ok(raw.to_owned())
    } else {
        Err(Error::field("avatar_url", "an https URL"))
    }
}

/// A file's name: one line, without any path, 1 to 255 bytes.
pub fn file_name(raw: &str) -> Result<String> {
    const FIELD: &str = "description.file_name";
    let too_long = || Error::over_limit(FIELD, MAX_FILE_NAME_BYTES, "bytes of UTF-8");
    if raw.len() > 16 * MAX_FILE_NAME_BYTES {
        return Err(too_long());
    }
    let name = raw.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = clean(name, |_| false, FIELD)?.trim().to_owned();
    if name == "." || name == ".." {
        return Err(Error::field(FIELD, "is not a name"));
    }
    if name.len() > MAX_FILE_NAME_BYTES { Err(too_long()) } else { Ok(name) }
}

/// A display name as a token brings it, at most 128 characters; `None`: it shows nothing.
pub fn display_name(raw: &str) -> Option<String> {
    let name = clean(raw, |_| false, "name").ok()?;
    Some(name.trim().chars().take(MAX_TITLE_CHARS).collect())
}

/// Whether a picture may be at this address: https, and no longer than any need be; or there is
/// none.
pub fn is_avatar(url: &str) -> bool {
    let fine = |url: &str| {
        url.len() <= MAX_AVATAR_BYTES
            && url.starts_with("https://")
            && reqwest::Url::parse(url).is_ok()
    };
    url.is_empty() || fine(url)
}

/// What an inbox is searched for: plain text, never a pattern; empty: nothing is searched.
pub fn query(raw: &str) -> Result<String> {
    if raw.chars().take(MAX_QUERY_CHARS + 1).count() > MAX_QUERY_CHARS {
        return Err(Error::over_limit("query", MAX_QUERY_CHARS, "characters"));
    }
    Ok(fold(raw))
}

/// Text as it is compared where case does not matter.
pub fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).nfc().collect()
}

/// An id that a client chose: 1 to 64 characters, any but control characters.
pub fn client_id(field: &'static str, raw: &str) -> Result<()> {
    if raw.is_empty() {
        return Err(Error::field(field, "must be set"));
    }
    if raw.chars().take(MAX_CLIENT_ID_CHARS + 1).count() > MAX_CLIENT_ID_CHARS {
        return Err(Error::over_limit(field, MAX_CLIENT_ID_CHARS, "characters"));
    }
    if raw.chars().any(char::is_control) {
        return Err(Error::field(field, "must not hold control characters"));
    }
    Ok(())
}

fn clean(raw: &str, kept: impl Fn(char) -> bool, field: &'static str) -> Result<String> {
    let mut plain = String::with_capacity(raw.len());
    plain.extend(raw.chars().filter(|c| !c.is_control() || kept(*c)));
    // Last: what is taken out may have kept marks apart that belong in another order.
    let text = if plain.is_ascii() { plain } else { without_unpaired_bidi(&plain).nfc().collect() };
    if !shows(&text) {
        return Err(Error::field(field, "must show something"));
    }
    if longest_mark_run(&text) > MAX_COMBINING_MARKS {
        return Err(Error::field(field, "too many combining marks on one character"));
    }
    Ok(text)
}

fn shows(text: &str) -> bool {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    text.chars().any(|c| !c.is_whitespace() && !c.is_control() && !ignorable.contains(c))
}

fn longest_mark_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        // This is the first of all marks, and most text lies below it.
        run = if c >= '\u{300}' && is_combining_mark(c) { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Takes out embeddings, overrides and isolates that are not closed in their paragraph, and
/// closers that close nothing (Unicode Standard Annex 9, X1 to X8): they would reorder what
/// stands around the message.
fn without_unpaired_bidi(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')) {
        return Cow::Borrowed(text);
    }
    let chars: Vec<char> = text.chars().collect();
    let mut drop = vec![false; chars.len()];
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut close_all = |open: &mut Vec<(usize, char)>| {
        for (at, _) in open.drain(..) {
            drop[at] = true;
        }
    };
    let mut closers_of_nothing = Vec::new();
    for (at, &c) in chars.iter().enumerate() {
        match c {
            '\n' | '\u{2029}' => close_all(&mut open),
            '\u{202a}' | '\u{202b}' | '\u{202d}' | '\u{202e}' => open.push((at, '\u{202c}')),
            '\u{2066}'..='\u{2068}' => open.push((at, '\u{2069}')),
            '\u{202c}' | '\u{2069}' => match open.last() {
                Some((_, closer)) if *closer == c => {
                    open.pop();
                }
                _ => closers_of_nothing.push(at),
            },
            _ => {}
        }
    }
    close_all(&mut open);
    for at in closers_of_nothing {
        drop[at] = true;
    }
    let kept = chars.iter().zip(drop).filter(|(_, drop)| !drop).map(|(c, _)| *c);
    Cow::Owned(kept.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;

    #[test]
    fn what_is_taken_out_leaves_it_normal() {
        let apart = ["\0", "\u{15}", "\u{202c}", "\u{2069}"];
        for between in apart {
            let text = message_text(&format!("*\u{330}{between}\u{338}")).unwrap();
            assert_eq!(text, "*\u{338}\u{330}");
            assert_eq!(message_text(&format!("e{between}\u{301}")).unwrap(), "é");
            assert_eq!(title(&format!("e{between}\u{301}")).unwrap(), "é");
        }
    }

    #[test]
    fn text_is_normalised_and_stays_readable() {
        assert_eq!(message_text("e\u{301}").unwrap(), "é");
        assert_eq!(message_text("a\r\nb\tc\0\u{1b}[31m").unwrap(), "a\nb\tc[31m");
        let bengali = "ক্ষ র\u{200d}্যা কী খবর?";
        assert_eq!(message_text(bengali).unwrap(), bengali.nfc().collect::<String>());
        let family = "👨\u{200d}👩\u{200d}👧";
        assert_eq!(message_text(family).unwrap(), family);
    }

    #[test]
    fn what_shows_nothing_is_refused() {
        for bad in ["", " \n\t ", "\u{200b}\u{200d}\u{feff}", "\0\u{1}", "\u{3164}", "\u{202e}"] {
            let error = message_text(bad).unwrap_err();
            assert_eq!((error.reason, &*error.field), (Reason::FieldInvalid, "text"), "{bad:?}");
        }
    }

    #[test]
    fn the_limit_is_in_bytes_after_normalisation() {
        assert!(message_text(&"é".repeat(4096)).is_ok());
        assert!(message_text(&format!("{}x", "é".repeat(4096))).is_err());
        assert!(message_text(&"e\u{301}".repeat(4096)).is_ok());
    }

    #[test]
    fn a_tower_of_marks_is_refused() {
        assert!(message_text(&format!("e{}", "\u{300}".repeat(5000))).is_err());
        assert!(message_text(&format!("q{}", "\u{300}".repeat(20))).is_ok());
    }

    #[test]
    fn bidi_controls_stay_only_in_pairs() {
        let paired = "a \u{202e}b\u{202c} \u{2067}c\u{2069}";
        assert_eq!(message_text(paired).unwrap(), paired);
        assert_eq!(message_text("a\u{202e}b").unwrap(), "ab");
        assert_eq!(message_text("a\u{202c}b\u{2069}").unwrap(), "ab");
        assert_eq!(message_text("\u{202e}a\nb\u{202c}").unwrap(), "a\nb");
    }

    #[test]
    fn client_ids_are_plain_text() {
        for good in ["{\"$gt\":\"\"}", "../..", ".*(a+)+$", &"é".repeat(64)] {
            assert!(client_id("client_message_id", good).is_ok(), "{good}");
        }
        for bad in ["", "a\0", &"é".repeat(65)] {
            assert!(client_id("client_message_id", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_picture_has_an_https_address() {
        for good in ["", "https://h", "https://h/a?b#c", "https://x:1@h:2/%E0"] {
            assert_eq!(avatar_url(good).unwrap(), good);
        }
        let long = format!("https://h/{}", "x".repeat(2_039));
        for bad in ["x", "http://h/a", "https://", "https://h/a b", "https://h/\n"] {
            assert_eq!(avatar_url(bad).unwrap_err().field, "avatar_url", "{bad:?}");
        }
        assert!(avatar_url(&long[..2_048]).is_ok() && avatar_url(&long).is_err());
    }

    #[test]
    fn searching_does_not_mind_case() {
        assert_eq!(fold("STRASSE Ärger"), "strasse ärger");
    }
}
