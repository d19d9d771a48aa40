//! What tells the series of a metric apart. All values are known beforehand, and none is an id.

use super::reasons::Outcome;

/// The values of one label, or of several together, numbered from 0.
pub trait Labels: Copy {
    /// The names of the labels.
    const KEYS: &'static [&'static str];
    /// How many values there are.
    const COUNT: usize;

    /// The number of this one, below `COUNT`.
    fn index(self) -> usize;

    /// What the one of this number is called, a name for each of `KEYS`.
    fn values(index: usize) -> Vec<&'static str>;
}

/// Every pair; `KEYS` cannot be put together from two constants, so each pair names its own.
macro_rules! pairs {
    ($($a:ident, $b:ident: $keys:expr;)*) => {$(
        impl Labels for ($a, $b) {
            const KEYS: &'static [&'static str] = &$keys;
            const COUNT: usize = $a::COUNT * $b::COUNT;

            fn index(self) -> usize {
                self.0.index() * $b::COUNT + self.1.index()
            }

            fn values(index: usize) -> Vec<&'static str> {
                let mut values = $a::values(index / $b::COUNT);
                values.extend($b::values(index % $b::COUNT));
                values
            }
        }
    )*};
}

/// A label whose values are listed here.
macro_rules! labels {
    ($($(#[doc = $doc:literal])+ $name:ident($key:literal) { $($value:ident = $text:expr),* $(,)? })*) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is named as it is told")]
        pub enum $name { $($value),* }

        impl $name {
            const NAMES: &'static [&'static str] = &[$($text),*];

            /// All there are, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$value),*];

            /// As it is told.
            pub fn name(self) -> &'static str {
                Self::NAMES[self as usize]
            }
        }

        impl Labels for $name {
            const KEYS: &'static [&'static str] = &[$key];
            const COUNT: usize = Self::NAMES.len();

            fn index(self) -> usize {
                self as usize
            }

            fn values(index: usize) -> Vec<&'static str> {
                vec![Self::NAMES[index]]
            }
        }
    )*};
}

pairs! {
    Command, Outcome: ["command", "outcome"];
    Method, Outcome: ["method", "outcome"];
    Operation, Answer: ["operation", "outcome"];
    Direction, Envelope: ["direction", "kind"];
}

labels! {
    /// Which call a stream was opened by.
    Stream("kind") { Connect = "connect", Subscribe = "subscribe" }

    /// A command of a stream, by its name in `ConnectRequest`.
    Command("command") {
        Hello = "hello",
        MessageSend = "message_send",
        DeliveredAck = "delivered_ack",
        ReadAck = "read_ack",
        TypingStart = "typing_start",
        TypingStop = "typing_stop",
        JoinChat = "join_chat",
        LeaveChat = "leave_chat",
        RefreshToken = "refresh_token",
        Heartbeat = "heartbeat",
        Unknown = "unknown",
    }

    /// A call of the API, by its name: no two services have one of the same name.
    Method("method") {
        Connect = "Connect",
        Subscribe = "Subscribe",
        SendMessage = "SendMessage",
        AckDelivered = "AckDelivered",
        AckRead = "AckRead",
        MarkMessageRead = "MarkMessageRead",
        MarkChatRead = "MarkChatRead",
        SetTyping = "SetTyping",
        JoinChat = "JoinChat",
        LeaveChat = "LeaveChat",
        Heartbeat = "Heartbeat",
        CreateChat = "CreateChat",
        GetChat = "GetChat",
        ListChats = "ListChats",
        ListMessages = "ListMessages",
        EditMessage = "EditMessage",
        DeleteMessage = "DeleteMessage",
        AddReaction = "AddReaction",
        RemoveReaction = "RemoveReaction",
        SearchMessages = "SearchMessages",
        ListMembers = "ListMembers",
        UpdateChat = "UpdateChat",
        AddMembers = "AddMembers",
        RemoveMember = "RemoveMember",
        SetMemberRole = "SetMemberRole",
        LeaveGroup = "LeaveGroup",
        DeleteChat = "DeleteChat",
        SetChatSettings = "SetChatSettings",
        GetUsers = "GetUsers",
        GetPresence = "GetPresence",
        BlockUser = "BlockUser",
        UnblockUser = "UnblockUser",
        ListBlockedUsers = "ListBlockedUsers",
        GetPrivacy = "GetPrivacy",
        UpdatePrivacy = "UpdatePrivacy",
        UploadAttachment = "UploadAttachment",
        CreateUpload = "CreateUpload",
        GetAttachment = "GetAttachment",
        UpsertUsers = "UpsertUsers",
        DeleteUser = "DeleteUser",
        ExportUser = "ExportUser",
        SendSystemMessage = "SendSystemMessage",
        RevokeSessions = "RevokeSessions",
        GetStats = "GetStats",
        RegisterDevice = "RegisterDevice",
        UnregisterDevice = "UnregisterDevice",
        ListDevices = "ListDevices",
        GetPreferences = "GetPreferences",
        UpdatePreferences = "UpdatePreferences",
        SetChatNotifications = "SetChatNotifications",
        ListNotifications = "ListNotifications",
        MarkNotificationsRead = "MarkNotificationsRead",
        ExplainDelivery = "ExplainDelivery",
        Unknown = "unknown",
    }

    /// How a send came.
    Via("via") { Stream = "stream", Call = "call" }

    /// What was too full for a stream that had to be told something.
    Queue("queue") { Outbox = "outbox", Inbox = "inbox", Held = "held" }

    /// What had no room for typing or presence.
    Dropped("queue") { Outbox = "outbox", Typing = "typing" }

    /// Which store.
    Backend("store") { Sqlite = "sqlite", MongoDb = "mongodb" }

    /// What the store was asked, by the name in its contract.
    Operation("operation") {
        Ping = "ping",
        Keys = "keys",
        Append = "append",
        ByClientId = "by_client_id",
        Heads = "heads",
        Newest = "newest",
        History = "history",
        Messages = "messages",
        Message = "message",
        Log = "log",
        WrittenIn = "written_in",
        Senders = "senders",
        EditMessage = "edit_message",
        DeleteMessage = "delete_message",
        React = "react",
        Unreact = "unreact",
        Hide = "hide",
        Hidden = "hidden",
        HiddenSince = "hidden_since",
        Search = "search",
        ChangedMessages = "changed_messages",
        CreateChat = "create_chat",
        Chats = "chats",
        Members = "members",
        Member = "member",
        Pairs = "pairs",
        Memberships = "memberships",
        ChatsOf = "chats_of",
        Places = "places",
        CountMemberships = "count_memberships",
        ChangedChats = "changed_chats",
        Mark = "mark",
        ChangedReceipts = "changed_receipts",
        CountUnread = "count_unread",
        ChangeGroup = "change_group",
        TellChanges = "tell_changes",
        MembersPage = "members_page",
        PutSettings = "put_settings",
        PutJobs = "put_jobs",
        TakeJobs = "take_jobs",
        FinishJobs = "finish_jobs",
        PutOffJob = "put_off_job",
        PutJobsForward = "put_jobs_forward",
        CountJobs = "count_jobs",
        TakeTurn = "take_turn",
        MoveTurn = "move_turn",
        Revoke = "revoke",
        Revocations = "revocations",
        Counts = "counts",
        PlacesOf = "places_of",
        Sent = "sent",
        UntakenFiles = "untaken_files",
        Blockers = "blockers",
        ForgetPlace = "forget_place",
        ForgetHidden = "forget_hidden",
        ForgetReserve = "forget_reserve",
        ForgetProfile = "forget_profile",
        PutProfile = "put_profile",
        PutLastActive = "put_last_active",
        Users = "users",
        Block = "block",
        Unblock = "unblock",
        Blocks = "blocks",
        ChangedBlocks = "changed_blocks",
        BlockedBetween = "blocked_between",
        Reserves = "reserves",
        PutPrivacy = "put_privacy",
        Shared = "shared",
        TouchReceipts = "touch_receipts",
        Preferences = "preferences",
        PutPreferences = "put_preferences",
        PutNotices = "put_notices",
        CorrectNotices = "correct_notices",
        Notices = "notices",
        NoticesById = "notices_by_id",
        CountUnreadNotices = "count_unread_notices",
        ReadNotices = "read_notices",
        ForgetNotices = "forget_notices",
        FindChat = "find_chat",
        Now = "now",
        OpenFile = "open_file",
        Files = "files",
        AdvanceFile = "advance_file",
        CompleteFile = "complete_file",
        PutPreview = "put_preview",
        ClaimFiles = "claim_files",
        DueFiles = "due_files",
        SettleFile = "settle_file",
        MakeDue = "make_due",
        ForgetFile = "forget_file",
        RegisterDevice = "register_device",
        UnregisterDevice = "unregister_device",
        ForgetDevices = "forget_devices",
        DevicesOf = "devices_of",
        FailDevice = "fail_device",
        RaiseAcked = "raise_acked",
        Standings = "standings",
        ClaimPushes = "claim_pushes",
        SettlePushes = "settle_pushes",
        NoteDigest = "note_digest",
        ClearPushes = "clear_pushes",
        NoteTrail = "note_trail",
        Trail = "trail",
    }

    /// What the store answered. `refused` is a good answer, too: by the rules, no.
    Answer("outcome") {
        Ok = "ok",
        Refused = "refused",
        Busy = "busy",
        Unavailable = "unavailable",
        Broken = "broken",
    }

    /// Which way over the bus.
    Direction("direction") { In = "in", Out = "out" }

    /// What nodes tell each other.
    Envelope("kind") {
        Message = "message",
        TellUsers = "tell_users",
        TellMembers = "tell_members",
        Typing = "typing",
        Presence = "presence",
        Opened = "opened",
        Call = "call",
        Answer = "answer",
        ReserveChanged = "reserve_changed",
        ReserveForgotten = "reserve_forgotten",
        Revoked = "revoked",
        PushesDue = "pushes_due",
        PushPause = "push_pause",
        DevicesChanged = "devices_changed",
        Unknown = "unknown",
    }

    /// What came of an attempt to tell something by a webhook.
    Hook("outcome") {
        Delivered = "delivered",
        Failed = "failed",
        GivenUp = "given_up",
        Dropped = "dropped",
    }

    /// What came of a push.
    Pushed("outcome") {
        Taken = "taken",
        Gone = "token_gone",
        Refused = "refused",
        Later = "tried_later",
        GivenUp = "given_up",
        Cleared = "cleared",
    }

    /// What kept a push that was due from going out.
    Kept("rule") {
        Off = "off",
        Muted = "muted",
        Level = "level",
        Blocked = "blocked",
        QuietHours = "quiet_hours",
        Old = "old",
    }

    /// When it is looked for who is to be pushed.
    Look("look") { AtOnce = "at_once", First = "first", Second = "second", Again = "again" }

    /// By what a loss on the bus was noticed.
    Gap("cause") {
        Number = "number",
        Silence = "silence",
        Connection = "connection",
        Overflow = "overflow",
    }

    /// Whether something went well.
    Went("outcome") { Well = "ok", Badly = "failed" }

    /// What may be ready or not.
    Part("part") { Store = "store", Bus = "bus", Node = "node" }

    /// Which adda this is.
    Build("version") { This = env!("CARGO_PKG_VERSION") }
}

impl Went {
    /// Well, if it is no error.
    pub fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Well } else { Self::Badly }
    }
}

impl Method {
    /// The call of this path, `/adda.v1.ChatService/SendMessage`.
    pub fn of_path(path: &str) -> Self {
        let call = path.strip_prefix("/adda.v1.").and_then(|rest| rest.split_once('/'));
        let Some((_, name)) = call else { return Self::Unknown };
        Self::ALL.iter().copied().find(|method| method.name() == name).unwrap_or(Self::Unknown)
    }
}

#[cfg(test)]
mod tests;
