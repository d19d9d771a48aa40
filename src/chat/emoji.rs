//! One emoji: what a user may react with.
//!
//! A possible emoji of Unicode Technical Standard 51, written in the one way that the standard
//! calls fully qualified, so that ❤ and ❤\u{fe0f} are one. Which of them a font can show is not
//! asked: there are new ones every year.

use icu_properties::CodePointSetData;
use icu_properties::props::{
    Emoji, EmojiModifier, EmojiModifierBase, EmojiPresentation, RegionalIndicator,
};
use unicode_segmentation::UnicodeSegmentation as _;

use super::limits::MAX_EMOJI_BYTES;
use crate::error::{Error, Result};

const JOINER: char = '\u{200d}';
const AS_EMOJI: char = '\u{fe0f}';
const KEYCAP: char = '\u{20e3}';
const BLACK_FLAG: char = '\u{1f3f4}';
const END_OF_TAGS: char = '\u{e007f}';

/// The emoji, in the one way of writing it.
pub fn emoji(raw: &str) -> Result<String> {
    if raw.len() > MAX_EMOJI_BYTES {
        return Err(Error::over_limit("emoji", MAX_EMOJI_BYTES, "bytes of UTF-8"));
    }
    qualified(raw)
        .filter(|emoji| emoji.len() <= MAX_EMOJI_BYTES && emoji.graphemes(true).count() == 1)
        .ok_or_else(|| Error::field("emoji", "must be one emoji"))
}

fn qualified(raw: &str) -> Option<String> {
    let chars: Vec<char> = raw.chars().collect();
    match chars.as_slice() {
        [a, b] if is_regional(*a) && is_regional(*b) => Some(raw.to_owned()),
        [key, KEYCAP] | [key, AS_EMOJI, KEYCAP] if is_key(*key) => {
            Some([*key, AS_EMOJI, KEYCAP].iter().collect())
        }
        _ => {
            let elements: Option<Vec<String>> = raw.split(JOINER).map(element).collect();
            Some(elements?.join("\u{200d}"))
        }
    }
}

/// One picture, with the colour of its skin or the tags of its flag.
fn element(raw: &str) -> Option<String> {
    let mut rest = raw.chars().peekable();
    let base = rest.next().filter(|c| is::<Emoji>(*c) && !is_key(*c) && !is_regional(*c))?;
    let mut out = String::from(base);
    let selected = rest.next_if_eq(&AS_EMOJI).is_some();
    if let Some(skin) = rest.next_if(|c| is::<EmojiModifier>(*c)) {
        if !is::<EmojiModifierBase>(base) {
            return None;
        }
        out.push(skin);
    } else if !is::<EmojiPresentation>(base) {
        out.push(AS_EMOJI);
    }
    let tags: String = rest.collect();
    let is_flag = base == BLACK_FLAG && !selected && are_tags(&tags);
    out.push_str(&tags);
    (tags.is_empty() || is_flag).then_some(out)
}

/// Of a part of a country, like `gbsct`.
fn are_tags(tags: &str) -> bool {
    let Some(code) = tags.strip_suffix(END_OF_TAGS) else { return false };
    let good = |c: char| matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}');
    !code.is_empty() && code.chars().all(good)
}

fn is_key(c: char) -> bool {
    matches!(c, '0'..='9' | '#' | '*')
}

fn is_regional(c: char) -> bool {
    is::<RegionalIndicator>(c)
}

fn is<P: icu_properties::props::BinaryProperty>(c: char) -> bool {
    CodePointSetData::new::<P>().contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::is_nfc;

    use super::*;
    use crate::error::Reason;

    #[test]
    fn all_sorts_of_emoji_are_taken() {
        for good in [
            "👍",
            "👍🏽",
            "❤\u{fe0f}",
            "❤\u{fe0f}\u{200d}🔥",
            "👨\u{200d}👩\u{200d}👧\u{200d}👦",
            "👩🏽\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👨🏿",
            "🏳\u{fe0f}\u{200d}🌈",
            "🏴\u{200d}☠\u{fe0f}",
            "🕵🏽\u{200d}♂\u{fe0f}",
            "🇧🇩",
            "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "1\u{fe0f}\u{20e3}",
            "#\u{fe0f}\u{20e3}",
            "©\u{fe0f}",
            "🫡",
        ] {
            assert_eq!(emoji(good).unwrap(), good);
        }
    }

    #[test]
    fn two_ways_of_writing_one_are_one() {
        for (written, one) in [
            ("❤", "❤\u{fe0f}"),
            ("👍\u{fe0f}", "👍"),
            ("1\u{20e3}", "1\u{fe0f}\u{20e3}"),
            ("🏳\u{200d}🌈", "🏳\u{fe0f}\u{200d}🌈"),
            ("☝\u{fe0f}🏽", "☝🏽"),
            ("❤\u{200d}🔥", "❤\u{fe0f}\u{200d}🔥"),
        ] {
            assert_eq!(emoji(written).unwrap(), one);
        }
    }

    #[test]
    fn all_else_is_refused() {
        let tower = format!("👍{}", "\u{300}".repeat(5000));
        let long = ["👨"; 10].join("\u{200d}");
        for bad in [
            "",
            "a",
            "1",
            "#",
            "ক",
            "👍👍",
            "👍 ",
            " 👍",
            "👍a",
            "👍\0",
            "👍\u{301}",
            "🇧",
            "🇧🇩🇧🇩",
            "🚗🏽",
            "👍🏽🏽",
            "👍\u{fe0e}",
            "\u{200d}",
            "👍\u{200d}",
            "\u{200d}👍",
            "👨\u{200d}\u{200d}👩",
            "a\u{20e3}",
            "🏴\u{e0067}\u{e0062}",
            "🏴\u{e007f}",
            "👍\u{e0067}\u{e007f}",
            "\u{fe0f}",
            "{\"$gt\":\"\"}",
            "$emoji",
            &tower,
            &long,
        ] {
            let error = emoji(bad).unwrap_err();
            assert_eq!((error.reason, &*error.field), (Reason::FieldInvalid, "emoji"), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_one_normal_grapheme_and_stays(
            raw in "[👍❤🇧🇩🏽👨🔥☝©1#a\u{fe0f}\u{fe0e}\u{200d}\u{20e3}🏴\u{e0067}\u{e007f}]{1,6}"
        ) {
            if let Ok(one) = emoji(&raw) {
                prop_assert_eq!(emoji(&one).unwrap(), one.clone());
                prop_assert_eq!(one.graphemes(true).count(), 1);
                prop_assert!(is_nfc(&one) && one.len() <= MAX_EMOJI_BYTES);
            }
        }
    }
}
