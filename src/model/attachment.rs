//! A file that hangs on a message.

use super::AttachmentId;

/// A file as a message carries it: what its members are told, but for where to get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Given when its upload began.
    pub id: AttachmentId,
    /// As the sender named it, without a path.
    pub file_name: String,
    /// As its bytes say.
    pub content_type: String,
    /// Bytes.
    pub size: u32,
    /// Pixels, as it is to be shown; 0: not known.
    pub width: u32,
    /// Likewise.
    pub height: u32,
    /// What stands in for a picture; empty: none, or not made yet.
    pub blurhash: String,
    /// Whether there is a smaller picture.
    pub thumbnail: bool,
}

/// What sort of file it is, as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// A picture.
    Image,
    /// Audio or video.
    Media,
    /// Anything else.
    Doc,
}

impl Attachment {
    /// What sort of file it is.
    pub fn family(&self) -> Family {
        match self.content_type.split('/').next() {
            Some("image") => Family::Image,
            Some("audio" | "video") => Family::Media,
            _ => Family::Doc,
        }
    }
}
