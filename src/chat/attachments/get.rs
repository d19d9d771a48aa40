//! Getting a file: first a link, for who may see it now; then the bytes, for who has the link.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use uuid::Uuid;

use super::links::Variant;
use super::{Service, attachment_id};
use crate::chat::access::chat_id;
use crate::chat::limits::{DOWNLOADS_AT_ONCE, FILE_PROGRESS_WITHIN};
use crate::error::{Error, Reason, Result};
use crate::files::{Bytes, Depot, PIECE, Part, Place, THUMBNAIL_TYPE, is_shown_inline};
use crate::metrics;
use crate::model::UserId;
use crate::proto;
use crate::store::File;

/// Portions in which bytes go out.
const PORTION: usize = 64 * 1024;

/// What is behind a link.
#[derive(Clone, Debug)]
pub struct Download {
    /// As its sender named it.
    pub file_name: String,
    /// What it is.
    pub content_type: String,
    /// Whether a browser may show it where it stands.
    pub inline: bool,
    /// Bytes.
    pub size: u64,
    /// Of these bytes and no others.
    pub tag: String,
    /// How long they may be kept.
    pub good_for: Duration,
    file: Uuid,
    body: Uuid,
    variant: Variant,
}

/// Bytes on their way out, portion by portion.
pub type Outgoing = mpsc::Receiver<Result<Bytes>>;

impl Service {
    /// A file with a URL that works now.
    pub async fn get_attachment(
        &self,
        user: &UserId,
        attachment: &str,
        chat: &str,
    ) -> Result<proto::Attachment> {
        self.depot()?;
        let file = if chat.is_empty() {
            self.own_upload(user, attachment).await?
        } else {
            self.of_message(user, attachment, chat).await?
        };
        Ok(self.links.attachment(&file.attachment))
    }

    /// One that the user has uploaded and not sent yet.
    async fn own_upload(&self, user: &UserId, attachment: &str) -> Result<File> {
        let file = self.there(attachment).await?;
        let sent = file.claim.as_ref().is_some_and(|claim| claim.held);
        if file.owner == *user && !sent { Ok(file) } else { Err(Error::attachment_not_found()) }
    }

    /// One of a message that the user may see.
    async fn of_message(&self, user: &UserId, attachment: &str, chat: &str) -> Result<File> {
        let admitted = self.admitted(user, chat_id(chat)?).await?;
        let file = self.there(attachment).await?;
        let claim = file.claim.as_ref().filter(|claim| claim.chat == admitted.chat.id);
        let claim = claim.ok_or_else(Error::attachment_not_found)?;
        let sent = self.store.by_client_id(claim.chat, &file.owner, &claim.client_message_id);
        let sent = sent.await?.filter(|message| {
            message.seq >= admitted.member.visible_from
                && message.attachments.iter().any(|of| of.id == file.attachment.id)
        });
        let sent = sent.ok_or_else(Error::attachment_not_found)?;
        let hidden = self.store.hidden(user, &[(sent.chat, sent.seq)]).await?;
        if hidden.is_empty() { Ok(file) } else { Err(Error::attachment_not_found()) }
    }

    /// A file that is whole and stays.
    async fn there(&self, attachment: &str) -> Result<File> {
        let file = self.store.files(&[attachment_id(attachment)?]).await?.pop();
        file.filter(|file| file.body.is_some() && !file.doomed)
            .ok_or_else(Error::attachment_not_found)
    }

    /// What is behind the last part of a URL.
    pub async fn download(&self, link: &str) -> Result<Download> {
        self.depot()?;
        let read = self.links.read_download(link);
        let (id, variant, good_for) = read.ok_or_else(Error::attachment_not_found)?;
        let file = self.store.files(&[id]).await?.pop().filter(|file| !file.doomed);
        let (file, body) = file
            .and_then(|file| file.body.map(|body| (file, body)))
            .ok_or_else(Error::attachment_not_found)?;
        let attachment = file.attachment;
        let of_file = Download {
            file_name: attachment.file_name,
            inline: is_shown_inline(&attachment.content_type),
            content_type: attachment.content_type,
            size: attachment.size.into(),
            tag: format!("\"{}\"", body.simple()),
            good_for,
            file: id.0,
            body,
            variant,
        };
        if variant == Variant::File {
            return Ok(of_file);
        }
        if !attachment.thumbnail {
            return Err(Error::attachment_not_found());
        }
        let size = self.depot()?.size(of_file.place(Part::Thumbnail)).await?;
        Ok(Download {
            content_type: THUMBNAIL_TYPE.to_owned(),
            inline: true,
            size,
            tag: format!("\"{}-t\"", body.simple()),
            ..of_file
        })
    }

    /// These bytes of it. They are read as fast as they are taken, and no longer than they are.
    pub fn send_out(self: &Arc<Self>, of: Download, range: Range<u64>) -> Result<Outgoing> {
        let depot = self.depot()?.clone();
        let places = Arc::clone(&self.attachments.downloading);
        let Ok(place) = places.try_acquire_owned() else {
            let what = format!("{DOWNLOADS_AT_ONCE} files go out from here; try again");
            return Err(Error::new(Reason::RateLimited, what));
        };
        // One portion waits while the next is read.
        let (to, outgoing) = mpsc::channel(1);
        self.run(async move {
            let _place = place;
            let _under_way = metrics::downloads_under_way().enter();
            of.pour(&depot, range, &to).await;
        });
        Ok(outgoing)
    }
}

impl Download {
    fn place(&self, part: Part) -> Place {
        Place { file: self.file, body: self.body, part }
    }

    async fn pour(&self, depot: &Depot, range: Range<u64>, to: &mpsc::Sender<Result<Bytes>>) {
        let mut at = range.start;
        while at < range.end {
            let (part, within, end) = match self.variant {
                Variant::Thumbnail => (Part::Thumbnail, at, self.size),
                Variant::File => {
                    let number = at / PIECE as u64;
                    let begin = number * PIECE as u64;
                    let number = u32::try_from(number).unwrap_or(u32::MAX);
                    (Part::Piece(number), at - begin, begin + PIECE as u64)
                }
            };
            let count = (range.end.min(end) - at).min(PORTION as u64);
            let read = depot.get(self.place(part), within..within + count).await;
            let failed = read.is_err();
            let sent = timeout(FILE_PROGRESS_WITHIN, to.send(read.map_err(Error::from))).await;
            if failed || !matches!(sent, Ok(Ok(()))) {
                return;
            }
            metrics::download_bytes().add(count);
            at += count;
        }
    }
}
