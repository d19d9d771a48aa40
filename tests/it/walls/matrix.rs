//! Every call by every sort of caller: what each gets, and that who is refused has changed nothing.
//!
//! A call of the contract without a row here fails the test. The same table stands in
//! `docs/security.md`.

use tonic::Code;

use super::Bystander;
use super::call::{Rpc, Way, rpcs};
use super::dump::Dump;
use super::requests::{needle, requests};
use super::scene::{Caller, Role, Scene, callers};
use crate::on_both_backends;
use crate::world::{Refusal, World};

on_both_backends! { each_call_by_each_caller }

/// Answered, with what was asked for.
const OK: &str = "yes";
/// Answered as if there were nothing.
const EMPTY: &str = "nothing";
const NONE: &str = "CHAT_NOT_FOUND";
const GONE: &str = "MESSAGE_NOT_FOUND";
const LOW: &str = "ROLE_TOO_LOW";
const BLOCK: &str = "BLOCKED";
const SCOPE: &str = "SCOPE_MISSING";

type Row = (&'static str, [&'static str; 7]);

/// By who asks, as in [`Role::ALL`]. Streams last: what follows their end is written late.
#[rustfmt::skip]
pub(super) const ROWS: [Row; 53] = [
    // stranger, former, member, admin, owner, blocked, service
    ("ChatService/SendMessage",                    [NONE, NONE, OK, OK, OK, BLOCK, NONE]),
    ("ChatService/AckDelivered",                   [NONE, NONE, OK, OK, OK, OK, NONE]),
    ("ChatService/AckRead",                        [NONE, NONE, OK, OK, OK, OK, NONE]),
    ("ChatService/MarkMessageRead",                [NONE, NONE, OK, OK, OK, OK, NONE]),
    ("ChatService/MarkChatRead",                   [NONE, NONE, OK, OK, OK, OK, NONE]),
    ("ChatService/SetTyping",                      [NONE, NONE, OK, OK, OK, OK, NONE]),
    ("ChatService/JoinChat",                       [NONE, NONE, OK, OK, OK, OK, NONE]),
    ("ChatService/LeaveChat",                      [NONE, NONE, OK, OK, OK, OK, NONE]),
    ("ChatService/Heartbeat",                      [OK, OK, OK, OK, OK, OK, OK]),
    ("ChatService/CreateChat",                     [OK, OK, OK, OK, OK, BLOCK, OK]),
    ("ChatService/GetChat",                        [NONE, NONE, OK, OK, OK, OK, NONE]),
    ("ChatService/ListChats",                      [EMPTY, EMPTY, OK, OK, OK, OK, EMPTY]),
    ("ChatService/ListMessages",                   [NONE, NONE, OK, OK, OK, OK, NONE]),
    ("ChatService/EditMessage",                    [NONE, NONE, LOW, LOW, LOW, BLOCK, NONE]),
    ("ChatService/AddReaction",                    [NONE, NONE, OK, OK, OK, BLOCK, NONE]),
    ("ChatService/RemoveReaction",                 [NONE, NONE, OK, OK, OK, OK, NONE]),
    ("ChatService/SearchMessages",                 [EMPTY, EMPTY, OK, OK, OK, OK, EMPTY]),
    ("ChatService/DeleteMessage",                  [NONE, NONE, LOW, OK, OK, OK, NONE]),
    ("ChatService/ListMembers",                    [NONE, NONE, OK, OK, OK, OK, NONE]),
    ("ChatService/SetChatSettings",                [NONE, NONE, OK, OK, OK, OK, NONE]),
    ("ChatService/UpdateChat",                     [NONE, NONE, LOW, OK, OK, LOW, NONE]),
    ("ChatService/AddMembers",                     [NONE, NONE, LOW, OK, OK, LOW, NONE]),
    ("ChatService/RemoveMember",                   [NONE, NONE, LOW, OK, OK, LOW, NONE]),
    ("ChatService/SetMemberRole",                  [NONE, NONE, LOW, LOW, OK, LOW, NONE]),
    ("ChatService/LeaveGroup",                     [NONE, NONE, OK, OK, OK, OK, NONE]),
    ("ChatService/DeleteChat",                     [NONE, NONE, LOW, LOW, OK, LOW, NONE]),
    ("UserService/GetUsers",                       [EMPTY, OK, OK, OK, OK, OK, EMPTY]),
    ("UserService/GetPresence",                    [EMPTY, EMPTY, OK, OK, OK, EMPTY, EMPTY]),
    ("UserService/BlockUser",                      [OK, OK, OK, OK, OK, OK, OK]),
    ("UserService/UnblockUser",                    [OK, OK, OK, OK, OK, OK, OK]),
    ("UserService/ListBlockedUsers",               [OK, OK, OK, OK, OK, OK, OK]),
    ("UserService/GetPrivacy",                     [OK, OK, OK, OK, OK, OK, OK]),
    ("UserService/UpdatePrivacy",                  [OK, OK, OK, OK, OK, OK, OK]),
    ("AttachmentService/UploadAttachment",         [OK, OK, OK, OK, OK, OK, OK]),
    ("AttachmentService/CreateUpload",             [OK, OK, OK, OK, OK, OK, OK]),
    ("AttachmentService/GetAttachment",            [NONE, NONE, OK, OK, OK, OK, NONE]),
    ("NotificationService/RegisterDevice",         [OK, OK, OK, OK, OK, OK, OK]),
    ("NotificationService/UnregisterDevice",       [OK, OK, OK, OK, OK, OK, OK]),
    ("NotificationService/ListDevices",            [OK, OK, OK, OK, OK, OK, OK]),
    ("NotificationService/GetPreferences",         [OK, OK, OK, OK, OK, OK, OK]),
    ("NotificationService/UpdatePreferences",      [OK, OK, OK, OK, OK, OK, OK]),
    ("NotificationService/SetChatNotifications",   [NONE, NONE, OK, OK, OK, OK, NONE]),
    ("NotificationService/ListNotifications",      [OK, OK, OK, OK, OK, OK, OK]),
    ("NotificationService/MarkNotificationsRead",  [OK, OK, OK, OK, OK, OK, OK]),
    ("NotificationService/ExplainDelivery",        [GONE, GONE, GONE, GONE, GONE, OK, OK]),
    ("AdminService/UpsertUsers",                   [SCOPE, SCOPE, SCOPE, SCOPE, SCOPE, SCOPE, OK]),
    ("AdminService/ExportUser",                    [SCOPE, SCOPE, SCOPE, SCOPE, SCOPE, SCOPE, OK]),
    ("AdminService/DeleteUser",                    [SCOPE, SCOPE, SCOPE, SCOPE, SCOPE, SCOPE, OK]),
    ("AdminService/SendSystemMessage",             [SCOPE, SCOPE, SCOPE, SCOPE, SCOPE, SCOPE, OK]),
    ("AdminService/RevokeSessions",                [SCOPE, SCOPE, SCOPE, SCOPE, SCOPE, SCOPE, OK]),
    ("AdminService/GetStats",                      [SCOPE, SCOPE, SCOPE, SCOPE, SCOPE, SCOPE, OK]),
    ("ChatService/Connect",                        [OK, OK, OK, OK, OK, OK, OK]),
    ("ChatService/Subscribe",                      [OK, OK, OK, OK, OK, OK, OK]),
];

/// After these the group is not what it was.
const SPENT: [&str; 6] = [
    "ChatService/DeleteMessage",
    "ChatService/RemoveMember",
    "ChatService/SetMemberRole",
    "ChatService/LeaveGroup",
    "ChatService/DeleteChat",
    "AdminService/DeleteUser",
];

#[test]
fn each_call_has_a_row() {
    let mut without: Vec<_> = rpcs().into_iter().map(|rpc| rpc.name).collect();
    for (name, _) in ROWS {
        let at = without.iter().position(|of| of == name);
        without.remove(at.unwrap_or_else(|| panic!("{name} is no call, or has two rows")));
    }
    assert!(without.is_empty(), "add a row to ROWS in tests/it/walls/matrix.rs for {without:?}");
}

/// What a caller got, and how it was told if it was refused.
type Got = (String, Option<Refusal>);

async fn got(way: Way, rpc: &Rpc, scene: &Scene, caller: &Caller) -> Got {
    let answer = caller.knocks.call(way, rpc, requests(scene, &rpc.name, caller)).await;
    match answer {
        Err(status) => {
            let refused = Refusal::of_status(&status);
            (refused.reason.clone(), Some(refused))
        }
        Ok(answer) => {
            let found = needle(scene, &rpc.name, caller.role).is_none_or(|needle| {
                answer.windows(needle.len()).any(|bytes| bytes == needle.as_bytes())
            });
            (if found { OK } else { EMPTY }.to_owned(), None)
        }
    }
}

/// All of a row that change nothing, then all others.
async fn row(world: &World, way: Way, rpc: &Rpc, cells: [&str; 7], scene: &Scene, all: &[Caller]) {
    let wants = |caller: &Caller| cells[caller.role as usize];
    let (answered, refused): (Vec<_>, Vec<_>) = all.iter().partition(|caller| wants(caller) == OK);
    let before = Dump::of(world).await;
    let mut none = None;
    for caller in &refused {
        let (got, how) = got(way, rpc, scene, caller).await;
        assert_eq!(got, wants(caller), "{} by {:?}, {way:?}: {how:?}", rpc.name, caller.role);
        if let Some(how) = how.filter(|how| how.code == Code::NotFound) {
            assert_eq!(
                none.get_or_insert_with(|| how.clone()),
                &how,
                "all learn the same: nothing"
            );
        }
    }
    if !refused.is_empty() {
        let changes = before.changes(&Dump::of(world).await);
        assert!(changes.is_empty(), "refused {} changed {changes:#?}", rpc.name);
    }
    for caller in &answered {
        let (got, how) = got(way, rpc, scene, caller).await;
        assert_eq!(got, OK, "{} by {:?}, {way:?}: {how:?}", rpc.name, caller.role);
    }
}

async fn each_call_by_each_caller(world: World) {
    let all = callers(&world).await;
    for role in Role::ALL {
        assert_eq!(all[role as usize].role, role);
    }
    let mut bystander = Bystander::at(&world).await;
    let mut scene = Scene::set(&world).await;
    let rpcs = rpcs();
    for (name, cells) in ROWS {
        let rpc = rpcs.iter().find(|rpc| rpc.name == name).unwrap();
        for way in Way::ALL.into_iter().filter(|way| way.takes(rpc)) {
            row(&world, way, rpc, cells, &scene, &all).await;
            bystander.goes_on().await;
            if SPENT.contains(&name) {
                scene = Scene::set(&world).await;
            }
        }
    }
}
