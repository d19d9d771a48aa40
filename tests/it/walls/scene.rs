//! A group, a direct chat with a block, and one of every sort of user around them.

use std::cell::Cell;
use std::time::Duration;

use adda::auth::Signer;
use adda::clock::SystemClock;
use adda::config::{DEV_SECRET, Secret};
use adda::model::UserId;
use adda::proto;

use super::call::Knocker;
use crate::world::{Api, Live, World, hello, token, unique};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Was never in the group.
    Stranger,
    /// Was removed from it.
    Former,
    Member,
    Admin,
    Owner,
    /// Is blocked by the owner, with whom there is a direct chat; and a member of the group.
    Blocked,
    /// A service of the product, in its own name.
    Service,
}

impl Role {
    pub(super) const ALL: [Self; 7] = [
        Self::Stranger,
        Self::Former,
        Self::Member,
        Self::Admin,
        Self::Owner,
        Self::Blocked,
        Self::Service,
    ];

    pub(super) fn user(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::Former => "former",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
            Self::Blocked => "blocked",
            Self::Service => "billing",
        }
    }

    pub(super) fn token(self) -> String {
        if self != Self::Service {
            return token(self.user());
        }
        let scope = Some("adda.service".to_owned());
        let signer = Signer::new(Secret::new(DEV_SECRET), None, None).with_scope(scope);
        let service = UserId::parse(self.user()).unwrap();
        signer.sign(&service, None, Duration::from_secs(3600), &SystemClock).0
    }
}

/// One who calls, with a stream open.
pub(super) struct Caller {
    pub(super) role: Role,
    pub(super) knocks: Knocker,
    pub(super) live: Live,
}

/// All of them, at the first node.
pub(super) async fn callers(world: &World) -> Vec<Caller> {
    let mut all = Vec::new();
    for role in Role::ALL {
        let token = role.token();
        let api = crate::world::api(world.addr(0), token.clone()).await;
        let mut live = Live::open(api, hello("phone")).await.unwrap();
        live.caught_up().await;
        let knocks = Knocker::with_token(world.addr(0), &token).await;
        all.push(Caller { role, knocks, live });
    }
    all
}

/// What they meet.
pub(super) struct Scene {
    pub(super) group: String,
    /// Of the group: by `author`, with a file.
    pub(super) message: String,
    pub(super) attachment: String,
    /// Of the owner and the blocked one.
    pub(super) direct: String,
    /// Of the direct chat: by the blocked one.
    pub(super) own: String,
    /// A word in both messages, and nowhere else.
    pub(super) word: String,
    /// A name that nobody else has, of a user who is a member too.
    pub(super) newest: String,
    made: Cell<u32>,
}

impl Scene {
    pub(super) async fn set(world: &World) -> Self {
        let mut people = world.people("owner").await;
        let foe = || "blocked".to_owned();
        people.unblock_user(proto::UnblockUserRequest { user_id: foe() }).await.unwrap();
        let rare = unique().replace('-', "");
        let newest = format!("newest-{rare}");
        let members = ["admin", "member", "former", "blocked", "author", "target", &newest];
        let group = world.group("owner", &members).await;
        let mut owner = world.api("owner").await;
        let (chat_id, user_id) = (group.clone(), "admin".to_owned());
        let role = proto::MemberRole::Admin.into();
        let admin = proto::SetMemberRoleRequest { chat_id, user_id, role };
        owner.set_member_role(admin).await.unwrap();
        let file = format!("of {rare}");
        let attachment = crate::talk::files::uploaded(world, "author", file.as_bytes()).await;
        let text = proto::MessageSend {
            attachment_ids: vec![attachment.clone()],
            ..crate::world::message(&group, "m1", &rare)
        };
        let message = said(&mut world.api("author").await, text).await;
        let (chat_id, user_id) = (group.clone(), "former".to_owned());
        owner.remove_member(proto::RemoveMemberRequest { chat_id, user_id }).await.unwrap();

        let direct = world.direct("owner", "blocked").await;
        let text = crate::world::message(&direct, &rare, &rare);
        let own = said(&mut world.api("blocked").await, text).await;
        people.block_user(proto::BlockUserRequest { user_id: foe() }).await.unwrap();
        let mut hermit = world.people("hermit").await;
        hermit.block_user(proto::BlockUserRequest { user_id: foe() }).await.unwrap();
        Self { group, message, attachment, direct, own, word: rare, newest, made: Cell::new(0) }
    }

    /// An id that was not used before.
    pub(super) fn new_id(&self, of: &str) -> String {
        self.made.set(self.made.get() + 1);
        format!("{of}-{}-{}", self.made.get(), self.word)
    }
}

async fn said(api: &mut Api, message: proto::MessageSend) -> String {
    let request = proto::SendMessageRequest { message: Some(message) };
    api.send_message(request).await.unwrap().into_inner().outcome.unwrap().message_id
}
