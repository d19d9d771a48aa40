//! The members of a chat, page by page: the owner, admins, then the others.

use std::collections::HashMap;

use crate::chat::Service;
use crate::chat::access::chat_id;
use crate::chat::seal::{Purpose, armour, bad_token, unarmour};
use crate::chat::text;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::{ChatId, Member, Role, User, UserId};
use crate::proto;
use crate::store::MemberPlace;
use crate::wire;

const DEFAULT_PAGE: usize = 100;
const MAX_PAGE: usize = 200;

/// Members among whom a name is looked for at once.
const SOUGHT_AT_ONCE: usize = 500;

/// A page of members.
#[derive(Debug, Default)]
pub struct MembersPage {
    /// In their order.
    pub members: Vec<proto::Member>,
    /// Empty: this was the last page.
    pub next_page_token: String,
}

impl Service {
    /// One page of a chat's members; of those whose name or id contains `query`, if it is set.
    pub async fn list_members(
        &self,
        user: &UserId,
        chat: &str,
        page_size: u32,
        page_token: &str,
        query: &str,
    ) -> Result<MembersPage> {
        let chat = self.admitted(user, chat_id(chat)?).await?.chat;
        let query = text::query(query)?;
        let after = self.after_member(user, chat.id, page_token, &query)?;
        let size = match usize::try_from(page_size).unwrap_or(MAX_PAGE) {
            0 => DEFAULT_PAGE,
            size => size.min(MAX_PAGE),
        };
        // One more than asked for tells whether there are more.
        let (mut members, users) = self.some_members(chat.id, after, size + 1, &query).await?;
        let more = members.len() > size;
        members.truncate(size);
        let last = members.last().filter(|_| more);
        let next_page_token = last.map(|last| self.member_token(user, chat.id, last, &query));
        let shown = members.iter().map(|member| {
            let known = users.get(&member.user);
            if member.user == *user {
                wire::member_with_receipts(member, known)
            } else {
                wire::member(member, known)
            }
        });
        let members = shown.collect();
        Ok(MembersPage { members, next_page_token: next_page_token.unwrap_or_default() })
    }

    /// So many members behind this place whose name or id contains `query`, and what is known of
    /// them. However few these are, what is read is never held all at once.
    async fn some_members(
        &self,
        chat: ChatId,
        mut behind: Option<MemberPlace>,
        count: usize,
        query: &str,
    ) -> Result<(Vec<Member>, HashMap<UserId, User>)> {
        let limit = if query.is_empty() { count } else { SOUGHT_AT_ONCE };
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let (mut found, mut known) = (Vec::new(), HashMap::new());
        loop {
            let mut page = self.store.members_page(chat, behind.take(), limit).await?;
            let full = page.len() >= limit as usize;
            behind = page.last().map(MemberPlace::of);
            let ids: Vec<UserId> = page.iter().map(|member| member.user.clone()).collect();
            let mut users = self.users_by_id(&ids).await?;
            page.retain(|member| fits(member, users.get(&member.user), query));
            page.truncate(count - found.len());
            known.extend(page.iter().filter_map(|member| users.remove_entry(&member.user)));
            found.extend(page);
            if !full || found.len() >= count {
                return Ok((found, known));
            }
        }
    }

    fn member_token(&self, user: &UserId, chat: ChatId, last: &Member, query: &str) -> String {
        let mut body = vec![last.role as u8];
        body.extend(last.joined_at.0.to_be_bytes());
        body.extend(last.user.as_str().as_bytes());
        armour(&self.sealer.seal(user, Purpose::Members(chat, query), &body))
    }

    fn after_member(
        &self,
        user: &UserId,
        chat: ChatId,
        token: &str,
        query: &str,
    ) -> Result<Option<MemberPlace>> {
        if token.is_empty() {
            return Ok(None);
        }
        let token = unarmour(token).ok_or_else(bad_token)?;
        let purpose = Purpose::Members(chat, query);
        let body = self.sealer.open(user, purpose, &token).ok_or_else(bad_token)?;
        decode(body).map(Some).ok_or_else(bad_token)
    }
}

fn fits(member: &Member, user: Option<&User>, query: &str) -> bool {
    let name = user.map_or("", |user| user.display_name.as_str());
    text::fold(name).contains(query) || text::fold(member.user.as_str()).contains(query)
}

fn decode(body: &[u8]) -> Option<MemberPlace> {
    let (role, rest) = body.split_first()?;
    let role =
        [Role::Member, Role::Admin, Role::Owner].into_iter().find(|it| *it as u8 == *role)?;
    let (at, user) = rest.split_first_chunk::<8>()?;
    let user = UserId::parse(std::str::from_utf8(user).ok()?)?;
    Some(MemberPlace { role, joined_at: Timestamp(i64::from_be_bytes(*at)), user })
}
