//! Files for messages: who may upload, send and see them, and what becomes of them.
//!
//! | here | lives |
//! |---|---|
//! | `upload`, `parts` | the ways in: by a stream of gRPC, by HTTP whole or in parts |
//! | `claim` | a send takes files |
//! | `get` | the ways out |
//! | `links` | URLs, signed |
//! | `preview` | smaller pictures, off the way of a call |
//! | `sweep` | what nobody needs any more goes |
//!
//! A file belongs to the message that its owner sent to a chat under a `client_message_id`, if
//! that message is there and has the file. It is claimed by these words before the append, so
//! that a send again finds the same claim, and a claim whose message never came is given back.
//! Whatever is left half-way by whatever stops is found by the sweep: every file is noted in the
//! store before its first byte is written.

use tokio::sync::{Notify, Semaphore};

use super::Service;
use super::limits::{
    DOWNLOADS_AT_ONCE, MAX_FILE_NAME_BYTES, PREVIEW_QUEUE, PREVIEWS_AT_ONCE, UPLOADS_AT_ONCE,
};
use super::text;
use crate::error::{Error, Reason, Result};
use crate::files::Depot;
use crate::model::AttachmentId;
use crate::proto;

mod claim;
mod get;
mod links;
mod parts;
mod preview;
mod sweep;
mod upload;

pub(super) use claim::ids;
pub use get::{Download, Outgoing};
pub use links::Links;
pub use upload::{Put, PutState};

/// What is under way on this node.
#[derive(Debug)]
pub(super) struct Attachments {
    uploading: Semaphore,
    downloading: std::sync::Arc<Semaphore>,
    decoding: Semaphore,
    to_decode: Semaphore,
    /// Something is due.
    due: Notify,
}

impl Default for Attachments {
    fn default() -> Self {
        Self {
            uploading: Semaphore::new(UPLOADS_AT_ONCE),
            downloading: std::sync::Arc::new(Semaphore::new(DOWNLOADS_AT_ONCE)),
            decoding: Semaphore::new(PREVIEWS_AT_ONCE),
            to_decode: Semaphore::new(PREVIEW_QUEUE),
            due: Notify::new(),
        }
    }
}

/// What a file claims to be, checked.
#[derive(Clone, Debug)]
pub(super) struct Description {
    file_name: String,
    size: u32,
}

impl Service {
    /// Bytes of one attachment; 0: there are none here.
    pub fn max_attachment_bytes(&self) -> u32 {
        if self.settings.attachments.is_some() { self.settings.max_attachment_bytes } else { 0 }
    }

    fn depot(&self) -> Result<&Depot> {
        self.settings.attachments.as_ref().ok_or_else(|| {
            Error::new(Reason::NotConfigured, "this server runs without attachments")
        })
    }

    fn described(&self, given: Option<proto::UploadDescription>) -> Result<Description> {
        let given = given.ok_or_else(|| Error::field("description", "must be set"))?;
        let max = self.max_attachment_bytes();
        if given.size_bytes == 0 {
            return Err(Error::field("description.size_bytes", "an empty file is none"));
        }
        if given.size_bytes > max {
            return Err(Error::over_limit("description.size_bytes", max, "bytes"));
        }
        if given.content_type.len() > MAX_FILE_NAME_BYTES {
            let limit = MAX_FILE_NAME_BYTES;
            return Err(Error::over_limit("description.content_type", limit, "bytes"));
        }
        Ok(Description { file_name: text::file_name(&given.file_name)?, size: given.size_bytes })
    }

    /// A message was deleted: what it carried is looked after now.
    pub fn release_attachments(&self) {
        self.attachments.due.notify_one();
    }
}

/// Reads the id of an attachment. One that cannot be an id is of none.
fn attachment_id(raw: &str) -> Result<AttachmentId> {
    if raw.is_empty() {
        return Err(Error::field("attachment_id", "must be set"));
    }
    AttachmentId::parse(raw).ok_or_else(Error::attachment_not_found)
}
