//! The notes that tell of changes: in parts for clients, and in English for those that do not
//! know the kind.

use super::Group;
use crate::chat::Service;
use crate::model::{MessageId, NoteKind, SystemNote, UserId};
use crate::store::{GroupChange, NewMessage};

/// Users named in the English text; the others are counted.
const NAMED: usize = 3;

impl Service {
    /// Adds what tells of a change.
    pub(super) fn note(
        &self,
        change: &mut GroupChange,
        group: &Group,
        kind: NoteKind,
        users: &[UserId],
    ) {
        let title = match kind {
            NoteKind::TitleChanged => change.title.clone().unwrap_or_default(),
            _ => String::new(),
        };
        // One change leads to a revision; so a note that is told twice is the same note.
        let id = format!("change-{}-{}", change.revision + 1, change.notes.len());
        let actor = &group.me.user;
        change.notes.push(NewMessage {
            id: MessageId(self.clock.new_id()),
            chat: change.chat,
            sender: None,
            content_hash: self.sealer.content_hash(&[b"change", id.as_bytes()]),
            client_message_id: id,
            text: text(kind, actor, users, &title),
            reply_to: None,
            mentions: Vec::new(),
            attachments: Vec::new(),
            words: Vec::new(),
            note: Some(SystemNote {
                kind,
                actor: Some(actor.clone()),
                users: users.to_vec(),
                title,
            }),
            member_as_of: 0,
        });
    }
}

fn text(kind: NoteKind, actor: &UserId, users: &[UserId], title: &str) -> String {
    let names: Vec<&str> = users.iter().take(NAMED).map(UserId::as_str).collect();
    let more = users.len().saturating_sub(NAMED);
    let users = match more {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    };
    match kind {
        NoteKind::GroupCreated => format!("{actor} made the group"),
        NoteKind::MembersAdded => format!("{actor} added {users}"),
        NoteKind::MembersRemoved => format!("{actor} removed {users}"),
        NoteKind::MemberLeft => format!("{actor} left"),
        NoteKind::TitleChanged => format!("{actor} changed the title to {title}"),
        NoteKind::AvatarChanged => format!("{actor} changed the picture"),
        NoteKind::AdminsAppointed => format!("{actor} made {users} admin"),
        NoteKind::AdminsDismissed => format!("{actor} took the admin's role from {users}"),
        NoteKind::OwnerChanged => format!("{users} owns the group now"),
        NoteKind::Announcement => String::new(),
    }
}
