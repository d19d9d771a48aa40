//! The words of a text: what a message is found by, and what is looked for, by one function.
//!
//! Letters that look alike are one (NFKC), upper and lower case too (full case folding, by way
//! of the upper case). Marks that any script borrows, such as accents, are left out; those of a
//! script itself stay, for vowel signs, viramas and nuktas make another word, as dakuten do.
//! Words are those of Unicode Standard Annex 29, and end at everything but letters, digits and
//! marks besides: who looks for `example` finds `example.com`.

use std::borrow::Cow;
use std::collections::HashSet;

use icu_properties::props::{DefaultIgnorableCodePoint, Script};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation as _;

use super::limits::{MAX_QUERY_WORDS, MAX_SEARCH_CHARS, MAX_WORD_CHARS, MAX_WORDS};
use crate::error::{Error, Result};

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Whole words.
    pub words: Vec<String>,
    /// The beginning of a word.
    pub prefix: Option<String>,
}

/// The words of a message's text, each once, in their order; of a long text the first.
pub fn words(text: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    all(text).filter(|word| seen.insert(word.clone())).take(MAX_WORDS).collect()
}

/// The words of a question. The last may be the beginning of a word, from two characters on: with
/// one nearly everything would begin.
pub fn wanted(query: &str) -> Result<Wanted> {
    if query.chars().take(MAX_SEARCH_CHARS + 1).count() > MAX_SEARCH_CHARS {
        return Err(Error::over_limit("query", MAX_SEARCH_CHARS, "characters"));
    }
    let mut words: Vec<String> = all(query).take(MAX_QUERY_WORDS + 1).collect();
    if words.len() > MAX_QUERY_WORDS {
        return Err(Error::over_limit("query", MAX_QUERY_WORDS, "words"));
    }
    let prefix = words.pop_if(|last| last.chars().nth(1).is_some());
    if words.is_empty() && prefix.is_none() {
        return Err(Error::field("query", "must hold a word"));
    }
    words.sort_unstable();
    words.dedup();
    Ok(Wanted { words, prefix })
}

fn all(text: &str) -> impl Iterator<Item = String> {
    let text: Cow<'_, str> =
        if text.is_ascii() { text.into() } else { text.nfkc().collect::<String>().into() };
    let words: Vec<String> = text
        .unicode_words()
        .flat_map(|word| word.split(|c: char| !stays(c)))
        // A mark that stands first belongs to no letter.
        .map(|word| folded(word.trim_start_matches(hangs)))
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .collect();
    words.into_iter()
}

/// Whether it is part of a word, or in it without being seen.
fn stays(c: char) -> bool {
    c.is_alphanumeric() || hangs(c)
}

/// Whether it needs a letter before it.
fn hangs(c: char) -> bool {
    is_combining_mark(c) || is_ignorable(c)
}

fn is_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// A mark that any script may borrow; but dakuten make another syllable.
fn is_borrowed(c: char) -> bool {
    is_combining_mark(c)
        && !matches!(c, '\u{3099}' | '\u{309a}')
        && CodePointMapData::<Script>::new().get(c) == Script::Inherited
}

/// A word as it is compared.
fn folded(word: &str) -> String {
    if word.is_ascii() {
        // Nothing else is done to it: most words are.
        return word[..word.len().min(MAX_WORD_CHARS)].to_ascii_lowercase();
    }
    folded_any(word)
}

fn folded_any(word: &str) -> String {
    let letters = word.nfkd().filter(|c| !is_borrowed(*c) && !is_ignorable(*c));
    let cased = letters.flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    // The lower case of an upper case may bring a mark of its own.
    cased.filter(|c| !is_borrowed(*c)).nfc().take(MAX_WORD_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Reason;

    fn finds(text: &str, query: &str) -> bool {
        let (there, wanted) = (words(text), wanted(query).unwrap());
        wanted.words.iter().all(|word| there.contains(word))
            && wanted.prefix.is_none_or(|prefix| there.iter().any(|word| word.starts_with(&prefix)))
    }

    #[test]
    fn what_people_look_for_is_found() {
        for (text, query) in [
            ("Hello, World!", "world hello"),
            ("we meet at the Straße", "STRASSE"),
            ("Ärger im Café", "arger cafe"),
            ("arger im cafe", "Ärger CAFÉ"),
            ("ὈΔΥΣΣΕΎΣ", "οδυσσευς"),
            ("don’t", "don't"),
            ("see https://example.com/a_b?c=1", "example b"),
            ("l'amour", "amour"),
            ("ＡＢＣ ﬁne ①", "abc fine 1"),
            ("İstanbul ve ısı", "istanbul isi"),
            ("ещё", "еще"),
            ("한국어 공부", "한국"),
            ("我们明天见", "明天"),
            ("東京タワー", "タワ"),
            ("مُحَمَّد", "محمد"),
            ("การทดสอบ", "ทดสอบ"),
            ("it costs 3.14 €", "3.14"),
            ("a\0b", "b a"),
        ] {
            assert!(finds(text, query), "{query} in {text}: {:?}", words(text));
        }
    }

    #[test]
    fn bengali_is_found_with_its_signs_and_conjuncts() {
        let text = "কাল বিকেলে আড্ডা হবে, ক্ষমা করো। য়ুরোপ র\u{200d}্যাব";
        for query in ["আড্ডা", "আড", "বিকেলে", "ক্ষমা", "করো", "\u{9af}\u{9bc}ুরোপ", "র্যাব"]
        {
            assert!(finds(text, query), "{query}: {:?}", words(text));
        }
        // Another vowel sign is another word, and half a conjunct is none of its own.
        for query in ["কালা", "বিকালে", "ক্ষমো হবে", "ষমা", "ডা"]
        {
            assert!(!finds(text, query), "{query}");
        }
    }

    #[test]
    fn what_is_another_word_is_not_found() {
        for (text, query) in [("がく", "かく x"), ("hello", "ello"), ("cat", "cats"), ("a", "b")]
        {
            assert!(!finds(text, query), "{query} in {text}");
        }
        assert_ne!(words("が"), words("か"));
        assert_eq!(wanted("a").unwrap().prefix, None, "one letter is a whole word");
    }

    #[test]
    fn what_holds_no_word_or_too_much_is_refused() {
        for bad in ["", " \n", "?!", "\u{200b}", "\u{301}\u{301}", "👍"] {
            let error = wanted(bad).unwrap_err();
            assert_eq!((error.reason, &*error.field), (Reason::FieldInvalid, "query"), "{bad:?}");
        }
        assert!(wanted(&"x".repeat(256)).is_ok());
        assert!(wanted(&"x".repeat(257)).is_err());
        assert!(wanted(&"x ".repeat(10)).is_ok());
        assert!(wanted(&"x ".repeat(11)).is_err());
        assert!(wanted(&format!("e{}", "\u{300}".repeat(5000))).is_err());
    }

    #[test]
    fn of_a_long_text_the_first_words_are_kept() {
        let text: Vec<String> = (0..3_000).map(|n| n.to_string()).collect();
        assert_eq!(words(&text.join(" ")), text[..MAX_WORDS]);
        assert_eq!(words(&"x".repeat(8_000)), ["x".repeat(MAX_WORD_CHARS)]);
        assert_eq!(words("a A á a"), ["a"]);
    }

    proptest! {
        #[test]
        fn words_are_made_of_their_own_letters_and_stay_what_they_are(text in "\\PC{0,60}") {
            for word in words(&text) {
                prop_assert!(!word.contains(['"', ' ', '\0', '*', '$', '.', '(']), "{word:?}");
                // Cut after the last letter that fits, one may end within what belongs together.
                if word.chars().count() < MAX_WORD_CHARS {
                    prop_assert_eq!(folded(&word), word.clone());
                }
                prop_assert!(word.chars().count() <= MAX_WORD_CHARS);
            }
        }

        #[test]
        fn plain_words_are_folded_as_all_are(word in "[ -~]{0,80}") {
            prop_assert_eq!(folded(&word), folded_any(&word));
            prop_assert_eq!(word.nfkc().collect::<String>(), word);
        }

        #[test]
        fn every_message_is_found_by_each_of_its_words(text in "[a-zA-Zäßé .,'অ-হা-্ক্ষ০-৯]{1,60}") {
            for word in words(&text) {
                prop_assert!(finds(&text, &word), "{word:?} in {text:?}");
                prop_assert!(finds(&text.to_uppercase(), &word), "{word:?} in upper case");
            }
        }
    }
}
