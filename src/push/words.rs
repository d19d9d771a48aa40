//! What a push says: a title and a body, in the language of the device.
//!
//! A language is a file in `words/`; `bn-BD` falls back to `bn`, and what is not known to English.
//! Numbers are written in the digits of the language. What is cut is cut between characters as
//! people see them, and ends in `…`.

use std::borrow::Cow;
use std::sync::LazyLock;

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::model::{Attachment, Preview};

/// What a title may have, in characters as people see them and in bytes.
const TITLE: (usize, usize) = (64, 256);
/// The same of a body: push services take 4 KiB, escaped and with all else.
const BODY: (usize, usize) = (200, 1_000);

/// What there is to tell.
#[derive(Clone, Copy, Debug)]
pub struct News<'a> {
    /// Who sent the newest message; `None`: the product.
    pub sender: Option<&'a str>,
    /// The title of the group; `None`: a direct chat.
    pub group: Option<&'a str>,
    /// Of the newest message.
    pub text: &'a str,
    /// Likewise.
    pub attachments: &'a [Attachment],
    /// How many messages there are in all.
    pub count: u32,
}

/// What a push says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The first line.
    pub title: String,
    /// What follows; may be empty.
    pub body: String,
}

struct Language(FluentBundle<FluentResource>);

static ENGLISH: LazyLock<Language> = LazyLock::new(|| language("en", include_str!("words/en.ftl")));
static BENGALI: LazyLock<Language> = LazyLock::new(|| {
    let Language(mut bundle) = language("bn", include_str!("words/bn.ftl"));
    bundle.set_formatter(Some(in_bengali));
    Language(bundle)
});

fn language(id: &str, text: &str) -> Language {
    // What cannot be read of it is left out: a test holds all languages to the same messages.
    let resource = FluentResource::try_new(text.to_owned()).unwrap_or_else(|(read, _)| read);
    let id: LanguageIdentifier = id.parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![id]);
    // Not every device takes the marks that would stand around what is put in.
    bundle.set_use_isolating(false);
    bundle.add_resource_overriding(resource);
    Language(bundle)
}

/// Numbers in the digits of Bengali.
fn in_bengali<M>(value: &FluentValue<'_>, _: &M) -> Option<String> {
    let FluentValue::Number(number) = value else { return None };
    let digit =
        |c: char| c.to_digit(10).and_then(|digit| char::from_u32('০' as u32 + digit)).unwrap_or(c);
    Some(number.as_string().chars().map(digit).collect())
}

/// The language for a locale as devices name it, such as `bn-BD`.
fn of_locale(locale: &str) -> &'static Language {
    match locale.parse::<LanguageIdentifier>().map(|id| id.language.as_str().to_owned()).as_deref()
    {
        Ok("bn") => &BENGALI,
        _ => &ENGLISH,
    }
}

/// What a push says of this news.
pub fn words(locale: &str, preview: Preview, news: &News<'_>) -> Words {
    let language = of_locale(locale);
    let count = news.count.max(1);
    let place = news.group.or(news.sender).filter(|name| !name.is_empty());
    let title = match place {
        Some(name) if preview != Preview::None => name.to_owned(),
        _ => language.counted("messages", count),
    };
    let body = match preview {
        Preview::Full => full(language, news, count),
        Preview::Sender => sender_alone(language, news, count),
        Preview::None => String::new(),
    };
    // Nothing is said twice.
    let body = if body == title { String::new() } else { body };
    Words { title: cut(&title, TITLE), body: cut(&body, BODY) }
}

/// What a push of several chats says, which names none of them.
pub fn digest(locale: &str, messages: u32, chats: u32) -> Words {
    let counts = [("count", messages.into()), ("chats", chats.into())];
    let title = of_locale(locale).say("digest", &counts);
    Words { title, body: String::new() }
}

fn full(language: &Language, news: &News<'_>, count: u32) -> String {
    let what = if news.text.is_empty() {
        language.attached(news.attachments)
    } else {
        news.text.to_owned()
    };
    let said = match (news.group, news.sender) {
        (Some(_), Some(sender)) if !sender.is_empty() => {
            let sender = cut(sender, TITLE);
            language.say("said", &[("sender", sender.into()), ("what", what.into())])
        }
        _ => what,
    };
    if count == 1 {
        return said;
    }
    format!("{}\n{said}", language.counted("messages", count))
}

fn sender_alone(language: &Language, news: &News<'_>, count: u32) -> String {
    match (news.group, news.sender) {
        (Some(_), Some(sender)) if !sender.is_empty() => {
            let sender = FluentValue::from(cut(sender, TITLE));
            language.say("messages-from", &[("sender", sender), ("count", count.into())])
        }
        _ => language.counted("messages", count),
    }
}

impl Language {
    fn counted(&self, id: &str, count: u32) -> String {
        self.say(id, &[("count", count.into())])
    }

    fn attached(&self, attachments: &[Attachment]) -> String {
        let Some(first) = attachments.first() else { return String::new() };
        let count = u32::try_from(attachments.len()).unwrap_or(u32::MAX);
        let id = sort(first);
        let id = if attachments.iter().all(|of| sort(of) == id) { id } else { "attachments" };
        let name = cut(&first.file_name, TITLE);
        self.say(id, &[("count", count.into()), ("name", name.into())])
    }

    fn say(&self, id: &str, with: &[(&'static str, FluentValue<'_>)]) -> String {
        let mut args = FluentArgs::new();
        for (name, value) in with {
            args.set(*name, value.clone());
        }
        let pattern = self.0.get_message(id).and_then(|message| message.value());
        let mut errors = Vec::new();
        let said = pattern.map(|pattern| self.0.format_pattern(pattern, Some(&args), &mut errors));
        said.map_or_else(String::new, Cow::into_owned)
    }
}

/// As people tell files apart.
fn sort(of: &Attachment) -> &'static str {
    match of.content_type.split('/').next() {
        Some("image") => "photos",
        Some("video") => "videos",
        Some("audio") => "sounds",
        _ => "files",
    }
}

/// As much of a text as there is room for.
fn cut(text: &str, (most, bytes): (usize, usize)) -> String {
    let fits = text.len() <= bytes && text.graphemes(true).take(most + 1).count() <= most;
    if fits {
        return text.to_owned();
    }
    let mut end = 0;
    for (at, grapheme) in text.grapheme_indices(true).take(most - 1) {
        if at + grapheme.len() + '…'.len_utf8() > bytes {
            break;
        }
        end = at + grapheme.len();
    }
    format!("{}…", text[..end].trim_end())
}

#[cfg(test)]
mod tests;
