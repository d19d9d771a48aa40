//! Everything that is kept of one user, piece by piece.
//!
//! A task reads page after page and hands the pieces on as they are taken, so that it holds little
//! however much there is. A reading that is cut short ends in an error, never as if it were whole.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::Instrument as _;

use super::Service;
use super::limits::{EXPORT_PAGE, EXPORT_PROGRESS_WITHIN, EXPORT_WAITING, EXPORTS_AT_ONCE};
use super::notices::{self, notices_since};
use crate::clock::Timestamp;
use crate::error::{Error, Reason, Result};
use crate::model::{ChatId, Member, Platform, UserId};
use crate::proto::{self, export_user_response::Piece};
use crate::store::ChangeCursor;
use crate::wire;

/// The pieces, in the order of the contract.
pub type Pieces = BoxStream<'static, Result<proto::ExportUserResponse>>;

/// Why a reading ended early.
enum Ended {
    /// Nobody takes the pieces any more.
    Unheard,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Where the pieces go; `None` is the end.
struct To(mpsc::Sender<Result<Option<Piece>>>);

impl To {
    async fn put(&self, piece: Piece) -> Result<(), Ended> {
        self.send(Ok(Some(piece))).await
    }

    async fn send(&self, piece: Result<Option<Piece>>) -> Result<(), Ended> {
        let sent = timeout(EXPORT_PROGRESS_WITHIN, self.0.send(piece)).await;
        sent.ok().and_then(Result::ok).ok_or(Ended::Unheard)
    }
}

impl Service {
    /// Everything that is kept of a user; of one who is not known the id alone.
    pub fn export_user(self: &Arc<Self>, user: &UserId) -> Result<Pieces> {
        let Ok(place) = Arc::clone(&self.exports).try_acquire_owned() else {
            let what = format!("{EXPORTS_AT_ONCE} exports are under way here; try again");
            return Err(Error::new(Reason::RateLimited, what));
        };
        tracing::info!(target: "audit", %user, "all that is kept of a user is handed out");
        let (pieces, taken) = mpsc::channel(EXPORT_WAITING);
        let (service, user) = (Arc::clone(self), user.clone());
        let reading = async move {
            let _place = place;
            let to = To(pieces);
            let end = match service.export_all(&user, &to).await {
                Ok(()) => Ok(None),
                Err(Ended::Failed(error)) => Err(error),
                Err(Ended::Unheard) => return,
            };
            // Who does not listen any more needs no end.
            drop(to.send(end).await);
        };
        self.run(reading.in_current_span());
        let service = Arc::clone(self);
        let next = move |taken: Option<mpsc::Receiver<Result<Option<Piece>>>>| {
            let service = Arc::clone(&service);
            async move {
                let mut taken = taken?;
                match taken.recv().await.unwrap_or_else(|| Err(service.cut_short())) {
                    Ok(piece) => {
                        let piece = Some(piece?);
                        Some((Ok(proto::ExportUserResponse { piece }), Some(taken)))
                    }
                    Err(error) => Some((Err(error), None)),
                }
            }
        };
        Ok(stream::unfold(Some(taken), next).boxed())
    }

    fn cut_short(&self) -> Error {
        if self.stop.is_cancelled() {
            return Error::new(Reason::ShuttingDown, "this node leaves; ask again");
        }
        Error::new(Reason::TimedOut, "the export did not come to its end; ask again")
    }

    /// A line for each sort of data, in the order of the contract.
    async fn export_all(self: &Arc<Self>, user: &UserId, to: &To) -> Result<(), Ended> {
        self.export_profile(user, to).await?;
        self.export_chats(user, to).await?;
        self.export_messages(user, to).await?;
        self.export_reactions(user, to).await?;
        self.export_blocks(user, to).await?;
        self.export_devices(user, to).await?;
        self.export_notices(user, to).await
    }

    async fn export_profile(&self, user: &UserId, to: &To) -> Result<(), Ended> {
        let known = self.store.users(std::slice::from_ref(user)).await?.pop();
        let privacy = self.privacy(user).await?;
        let preferences = self.preferences(user).await?;
        to.put(Piece::User(proto::ExportedUser {
            user: Some(wire::user(user, known.as_ref())),
            last_active: known.and_then(|known| known.last_active).map(wire::timestamp),
            privacy: Some(privacy),
            preferences: Some(preferences),
        }))
        .await
    }

    async fn export_chats(&self, user: &UserId, to: &To) -> Result<(), Ended> {
        let mut after = None;
        loop {
            let page = self.store.places_of(user, after, EXPORT_PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.chat);
            for place in page {
                to.put(Piece::Chat(self.exported_chat(place).await?)).await?;
            }
        }
    }

    /// Of a chat that the user is not in any more, the user's place alone.
    async fn exported_chat(&self, place: Member) -> Result<proto::Chat> {
        if place.left_at.is_none()
            && let Some(chat) = self.store.chats(&[place.chat]).await?.pop()
        {
            match self.show_chat(&place.user, chat).await {
                Err(error) if error.reason == Reason::ChatNotFound => {}
                shown => return shown,
            }
        }
        Ok(proto::Chat {
            chat_id: place.chat.to_string(),
            membership: Some(wire::member_with_receipts(&place, None)),
            settings: Some(wire::settings(&place.settings)),
            ..proto::Chat::default()
        })
    }

    async fn export_messages(&self, user: &UserId, to: &To) -> Result<(), Ended> {
        let mut chats = self.chats_ever(user);
        while let Some(chat) = chats.next().await {
            let chat = chat?;
            let mut after = String::new();
            loop {
                let page = self.store.sent(chat, user, &after, EXPORT_PAGE).await?;
                let Some(last) = page.last() else { break };
                after.clone_from(&last.client_message_id);
                for message in self.with_previews(&page).await? {
                    to.put(Piece::Message(self.links.message_for(&message, user))).await?;
                }
            }
        }
        Ok(())
    }

    /// Messages with reactions are among those that changed: all of them are gone through.
    async fn export_reactions(&self, user: &UserId, to: &To) -> Result<(), Ended> {
        let mut chats = self.chats_ever(user);
        while let Some(chat) = chats.next().await {
            let chat = chat?;
            let mut after = ChangeCursor::default();
            loop {
                let page = self.store.changed_messages(&[chat], after, EXPORT_PAGE).await?;
                let Some(last) = page.last() else { break };
                after = last.cursor;
                for message in page.into_iter().map(|changed| changed.message) {
                    for emoji in message.reactions_of(user) {
                        let (chat_id, message_id) = (chat.to_string(), message.id.to_string());
                        let reaction = proto::ExportedReaction { chat_id, message_id, emoji };
                        to.put(Piece::Reaction(reaction)).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn export_blocks(&self, user: &UserId, to: &To) -> Result<(), Ended> {
        let mut below = u32::MAX;
        loop {
            let page = self.store.blocks(user, below, EXPORT_PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            below = last.revision;
            for block in page {
                let blocked_at = Some(wire::timestamp(block.at));
                let block = proto::ExportedBlock { user_id: block.user.to_string(), blocked_at };
                to.put(Piece::Block(block)).await?;
            }
        }
    }

    async fn export_devices(&self, user: &UserId, to: &To) -> Result<(), Ended> {
        let mut devices = self.store.devices_of(std::slice::from_ref(user)).await?;
        devices.sort_by(|a, b| a.id.cmp(&b.id));
        for device in devices {
            let (failed_at, failure) = device.failed.unzip();
            to.put(Piece::Device(proto::ExportedDevice {
                device_id: device.id.to_string(),
                platform: platform(device.platform).to_owned(),
                registered_at: Some(wire::timestamp(device.registered_at)),
                locale: device.locale,
                app_version: device.app_version,
                failed_at: failed_at.map(wire::timestamp),
                failure: failure.unwrap_or_default(),
            }))
            .await?;
        }
        Ok(())
    }

    async fn export_notices(&self, user: &UserId, to: &To) -> Result<(), Ended> {
        for notice in self.store.notices(notices_since(user, Timestamp(0))).await? {
            to.put(Piece::Notification(notices::shown(&notice))).await?;
        }
        Ok(())
    }

    /// All chats that a user ever was in.
    fn chats_ever<'a>(&'a self, user: &'a UserId) -> BoxStream<'a, Result<ChatId>> {
        let page = move |after: Option<Option<ChatId>>| async move {
            let places = match self.store.places_of(user, after?, EXPORT_PAGE).await {
                Ok(places) => places,
                Err(error) => return Some((vec![Err(error.into())], None)),
            };
            let last = places.last()?.chat;
            let chats = places.into_iter().map(|place| Ok(place.chat)).collect();
            Some((chats, Some(Some(last))))
        };
        stream::unfold(Some(None), page).flat_map(stream::iter::<Vec<_>>).boxed()
    }
}

fn platform(of: Platform) -> &'static str {
    match of {
        Platform::Android => "ANDROID",
        Platform::Ios => "IOS",
        Platform::Web => "WEB",
    }
}
