use uuid::Uuid;

use super::*;
use crate::model::AttachmentId;

const PLAIN: News<'_> =
    News { sender: Some("Alice"), group: None, text: "hello", attachments: &[], count: 1 };

fn file(content_type: &str) -> Attachment {
    Attachment {
        id: AttachmentId(Uuid::nil()),
        file_name: "plan.pdf".to_owned(),
        content_type: content_type.to_owned(),
        size: 1,
        width: 0,
        height: 0,
        blurhash: String::new(),
        thumbnail: false,
    }
}

fn told(locale: &str, preview: Preview, news: &News<'_>) -> (String, String) {
    let Words { title, body } = words(locale, preview, news);
    (title, body)
}

fn pair(title: &str, body: &str) -> (String, String) {
    (title.to_owned(), body.to_owned())
}

#[test]
fn of_several_chats() {
    let said = |locale| digest(locale, 12, 3);
    let title = |title: &str| Words { title: title.to_owned(), body: String::new() };
    assert_eq!(said("en"), title("12 new messages in 3 chats"));
    assert_eq!(said("bn-BD"), title("৩টি চ্যাটে ১২টি নতুন বার্তা"));
}

#[test]
fn one_message() {
    assert_eq!(told("en", Preview::Full, &PLAIN), pair("Alice", "hello"));
    assert_eq!(told("bn", Preview::Full, &PLAIN), pair("Alice", "hello"));
    assert_eq!(told("en", Preview::Sender, &PLAIN), pair("Alice", "New message"));
    assert_eq!(told("bn", Preview::Sender, &PLAIN), pair("Alice", "নতুন বার্তা"));
    assert_eq!(told("en", Preview::None, &PLAIN), pair("New message", ""));
}

#[test]
fn several_messages_are_counted_in_the_digits_of_the_language() {
    let news = News { count: 10, ..PLAIN };
    assert_eq!(told("en", Preview::Full, &news), pair("Alice", "10 new messages\nhello"));
    assert_eq!(told("bn", Preview::Full, &news), pair("Alice", "১০টি নতুন বার্তা\nhello"));
    assert_eq!(told("en", Preview::Sender, &news), pair("Alice", "10 new messages"));
    assert_eq!(told("bn", Preview::None, &news), pair("১০টি নতুন বার্তা", ""));
}

#[test]
fn a_group_is_told_by_its_title() {
    let news = News { group: Some("আড্ডা"), ..PLAIN };
    assert_eq!(told("en", Preview::Full, &news), pair("আড্ডা", "Alice: hello"));
    assert_eq!(told("en", Preview::Sender, &news), pair("আড্ডা", "New message from Alice"));
    let several = News { count: 3, ..news };
    assert_eq!(
        told("bn", Preview::Sender, &several),
        pair("আড্ডা", "৩টি নতুন বার্তা, শেষটি Alice পাঠিয়েছেন")
    );
    let product = News { sender: None, ..news };
    assert_eq!(told("en", Preview::Full, &product), pair("আড্ডা", "hello"));
    assert_eq!(told("en", Preview::Sender, &product), pair("আড্ডা", "New message"));
}

#[test]
fn files_are_told_by_their_sort() {
    for (types, english, bengali) in [
        (&["image/jpeg"][..], "📷 Photo", "📷 ছবি"),
        (&["image/jpeg", "image/png"], "📷 2 photos", "📷 ২টি ছবি"),
        (&["video/mp4"], "🎥 Video", "🎥 ভিডিও"),
        (&["audio/ogg"], "🎵 Audio", "🎵 অডিও"),
        (&["application/pdf"], "📄 plan.pdf", "📄 plan.pdf"),
        (&["image/png", "audio/ogg"], "📎 2 attachments", "📎 ২টি ফাইল"),
    ] {
        let files: Vec<Attachment> = types.iter().map(|of| file(of)).collect();
        let news = News { text: "", attachments: &files, ..PLAIN };
        assert_eq!(told("en-GB", Preview::Full, &news).1, english);
        assert_eq!(told("bn-BD", Preview::Full, &news).1, bengali);
        let with_text = News { text: "look", ..news };
        assert_eq!(told("en", Preview::Full, &with_text).1, "look");
    }
}

#[test]
fn a_locale_falls_back_to_its_language_and_then_to_english() {
    let news = News { count: 2, ..PLAIN };
    for (locale, title) in [
        ("bn", "২টি নতুন বার্তা"),
        ("bn-BD", "২টি নতুন বার্তা"),
        ("bn_IN", "২টি নতুন বার্তা"),
        ("BN-Beng-BD", "২টি নতুন বার্তা"),
        ("en-US", "2 new messages"),
        ("tlh", "2 new messages"),
        ("", "2 new messages"),
        ("../..", "2 new messages"),
    ] {
        assert_eq!(told(locale, Preview::None, &news).0, title, "{locale}");
    }
}

#[test]
fn every_language_says_everything() {
    let ids = |text: &str| -> Vec<String> {
        let named = text.lines().filter(|line| line.starts_with(char::is_alphabetic));
        named.filter_map(|line| line.split_once(" =")).map(|(id, _)| id.to_owned()).collect()
    };
    let english = ids(include_str!("en.ftl"));
    assert_eq!(english, ids(include_str!("bn.ftl")));
    assert!(english.len() >= 8);
    for language in [&ENGLISH, &BENGALI] {
        for id in &english {
            for count in [1, 2, 5, 1000] {
                let with = [
                    ("count", count.into()),
                    ("chats", 2.into()),
                    ("name", "NAME".into()),
                    ("sender", "SENDER".into()),
                    ("what", "WHAT".into()),
                ];
                let said = language.say(id, &with);
                assert!(!said.is_empty() && !said.contains(['{', '$']), "{id}: {said}");
            }
        }
    }
}

#[test]
fn what_is_long_is_cut_between_characters() {
    let family = "👨‍👩‍👧‍👦";
    for (text, most) in
        [("ক্ষ".repeat(500), 200), (family.repeat(500), 200), ("a".repeat(8192), 200)]
    {
        let body = told("en", Preview::Full, &News { text: &text, ..PLAIN }).1;
        assert!(body.ends_with('…') && body.len() <= 1_000);
        assert!(body.graphemes(true).count() <= most);
        let kept = body.trim_end_matches('…');
        assert!(text.starts_with(kept) && text[kept.len()..].graphemes(true).next().is_some());
        assert!(text.grapheme_indices(true).any(|(at, _)| at == kept.len()), "a whole character");
    }
    let one = format!("a{}", "\u{301}".repeat(4_000));
    assert_eq!(told("en", Preview::Full, &News { text: &one, ..PLAIN }).1, "…");
    let exact = "a".repeat(200);
    assert_eq!(told("en", Preview::Full, &News { text: &exact, ..PLAIN }).1, exact);
    let long = "b".repeat(200);
    let news = News { sender: Some(&long), group: Some(&long), ..PLAIN };
    let (title, body) = told("en", Preview::Full, &news);
    assert_eq!(title.chars().count(), 64);
    assert!(body.ends_with("…: hello"), "who writes does not crowd out what: {body}");
}
