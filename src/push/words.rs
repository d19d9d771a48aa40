//! What a push says: a title and a body, in the language of the device.

use crate::model::{Attachment, Preview};

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

/// What a push says of this news.
pub fn words(_locale: &str, preview: Preview, news: &News<'_>) -> Words {
    let count = news.count.max(1);
    let counted =
        if count == 1 { "New message".to_owned() } else { format!("{count} new messages") };
    let place = news.group.or(news.sender).filter(|_| preview != Preview::None);
    let body = match preview {
        Preview::Full if count == 1 && !news.text.is_empty() => news.text.to_owned(),
        Preview::Full if !news.text.is_empty() => format!("{counted}\n{}", news.text),
        Preview::Full | Preview::Sender => counted.clone(),
        Preview::None => String::new(),
    };
    Words { title: place.map_or(counted, str::to_owned), body }
}
