//! Every bound of the service in one place, each with its reason and what happens at it.

use std::time::Duration;

/// Bytes of a message's text after normalisation: a long letter, not a file. `FIELD_INVALID`.
pub const MAX_TEXT_BYTES: usize = 8 * 1024;
/// Marks that combine with one character: no writing system needs more. `FIELD_INVALID`.
pub const MAX_COMBINING_MARKS: usize = 30;
/// Characters of a title. `FIELD_INVALID`.
pub const MAX_TITLE_CHARS: usize = 128;
/// Bytes of the URL of a picture. `FIELD_INVALID`.
pub const MAX_AVATAR_BYTES: usize = 2_048;
/// Characters of an id that a client chooses. `FIELD_INVALID`.
pub const MAX_CLIENT_ID_CHARS: usize = 64;
/// Characters of a search of the inbox. `FIELD_INVALID`.
pub const MAX_QUERY_CHARS: usize = 100;
/// Characters of a search for messages. `FIELD_INVALID`.
pub const MAX_SEARCH_CHARS: usize = 256;
/// Words of a search for messages: each is one more to be looked up. `FIELD_INVALID`.
pub const MAX_QUERY_WORDS: usize = 10;
/// Different words by which one message is found: each costs some 10 µs when it is stored. Of a
/// longer one the first.
pub const MAX_WORDS: usize = 400;
/// Characters by which words are compared: what is longer is no word of any language.
pub const MAX_WORD_CHARS: usize = 40;
/// Bytes of an emoji: the longest that there is has 35. `FIELD_INVALID`.
pub const MAX_EMOJI_BYTES: usize = 64;
/// Kinds of reactions to a message, and reactions in all. `TOO_MANY_REACTIONS`.
pub const MAX_REACTION_KINDS: usize = crate::model::MAX_REACTION_KINDS;
/// See [`MAX_REACTION_KINDS`].
pub const MAX_REACTIONS: usize = crate::model::MAX_REACTIONS;
/// Users named in one kind of reactions, as it is told; the rest is a count.
pub const MAX_REACTION_NAMES: usize = crate::model::MAX_REACTION_NAMES;
/// Members whom one message mentions: more is a message to all. `FIELD_INVALID`.
pub const MAX_MENTIONS: usize = 50;
/// Runs in one acknowledgement, and in a member's set. `FIELD_INVALID`, `TOO_MANY_RUNS`.
pub const MAX_RUNS: usize = crate::model::MAX_RUNS;
/// Members up to which a chat has ticks, receipts of others and presence: above, a message would
/// cause more receipts than anyone reads.
pub const MAX_RECEIPT_MEMBERS: usize = 256;
/// Chats a user can be in: the inbox is sorted at each call. `TOO_MANY_CHATS`.
pub const MAX_CHATS: usize = 2_000;
/// Users one call adds to a group, and users one note names. `FIELD_INVALID`.
pub const MAX_ADDED: usize = 256;
/// Chats a user has pinned: what stands on top must be seen at once. `FIELD_INVALID`.
pub const MAX_PINNED: u32 = 20;
/// How often a change of a group is decided anew when another one came before it; then
/// `STORE_UNAVAILABLE`.
pub const CHANGE_TRIES: u32 = 12;
/// Pause before that, at most, times the tries so far.
pub const CHANGE_PAUSE: Duration = Duration::from_millis(10);
/// Chats with a change that some node left untold; more are found again by whoever loads them.
pub const UNTOLD_QUEUE: usize = 1_024;
/// Users told at once that they are members no more.
pub const GONE_AT_ONCE: usize = 500;
/// Chats one session may have on screen; the one joined first gives way.
pub const MAX_JOINED_CHATS: usize = 32;
/// Commands of one stream that wait for their Ack: enough to keep a fast link full; beyond it
/// the server reads no further.
pub const MAX_COMMANDS_IN_FLIGHT: usize = 256;
/// Live streams of one user, over all nodes. `TOO_MANY_SESSIONS`.
pub const MAX_SESSIONS: usize = 20;
/// Streams of a node that are being opened at once. The others wait their turn, up to the time
/// limit of the call: thousands that come back together would else all ask the store at once, be
/// answered too late, all of them, and ask again.
pub const MAX_OPENING: usize = 512;
/// Comings and goings whose watchers are looked up at once; the others wait.
pub const MAX_ANNOUNCED: usize = 64;
/// What a session may be told before its task has looked: a full one is a slow consumer.
pub const SESSION_INBOX: usize = 1_024;
/// Frames that wait for the network, and their bytes: beyond it typing and presence give way,
/// then the stream ends as a slow consumer.
pub const OUTBOX_FRAMES: usize = 2_048;
/// Bytes that wait for the network.
pub const OUTBOX_BYTES: usize = 384 * 1024;
/// Live events held back while a replay is under way; beyond it the stream is a slow consumer.
pub const HELD_EVENTS: usize = 4_096;
/// Messages that one resume replays; above, GAP: reading pages is cheaper then.
pub const MAX_REPLAY_MESSAGES: usize = 1_000;
/// Changes that one resume replays; above, GAP.
pub const MAX_REPLAY_CHANGES: usize = 5_000;
/// Bytes of changed messages that one resume replays; above, GAP. They are held until told.
pub const MAX_REPLAY_BYTES: usize = 4 * 1024 * 1024;
/// Changed messages read at once for a replay.
pub const CHANGES_PAGE: u32 = 500;
/// Messages that a user has hidden, told with the first page of changes: half a page of bytes.
pub const MAX_HIDDEN_LISTED: u32 = 2_000;
/// Events of a replay between two Checkpoints.
pub const REPLAY_CHECKPOINT_EVERY: usize = 200;
/// While anything happens a Checkpoint comes at least this often.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);
/// Chats whose newest message is younger than this are listed in a resume token.
pub const TOKEN_HORIZON: Duration = Duration::from_secs(24 * 3600);
/// Changes are looked for from this much earlier: clocks differ, and repeats are harmless.
pub const CHANGE_OVERLAP: Duration = Duration::from_secs(600);
/// The log is read from this much earlier after deafness: ids are made before they are stored.
pub const LOG_OVERLAP: Duration = Duration::from_secs(10);
/// A deaf node reads the log this often.
pub const DEAF_READ_EVERY: Duration = Duration::from_secs(5);
/// Messages read from the log at once.
pub const LOG_PAGE: u32 = 1_000;
/// Whatever happens, a session compares with the store this often.
pub const COMPARE_EVERY: Duration = Duration::from_secs(300);
/// Acknowledgements gather this long where nobody waits for the answer.
pub const RECEIPT_GATHER: Duration = Duration::from_millis(250);
/// The same in chats above [`MAX_RECEIPT_MEMBERS`].
pub const RECEIPT_GATHER_LARGE: Duration = Duration::from_secs(10);
/// Members with receipts waiting to be written. `STORE_UNAVAILABLE` beyond it.
pub const RECEIPT_QUEUE: usize = 16_384;
/// A hole in a chat waits this long for the bus before it is read from the store.
pub const HOLE_PATIENCE: Duration = Duration::from_millis(100);
/// A member list is used no longer than this.
pub const ROSTER_AGE: Duration = Duration::from_secs(60);
/// Seats of all cached member lists together: some 100 MB.
pub const ROSTER_SEATS: u64 = 2_000_000;
/// Typing lapses after this.
pub const TYPING_LAPSE: Duration = Duration::from_secs(5);
/// Who types may be told of again after this; what comes faster is dropped in silence.
pub const TYPING_PAUSE: Duration = Duration::from_secs(1);
/// Users typing at once on one node; more are dropped in silence.
pub const TYPING_QUEUE: usize = 8_192;
/// Direct chats, highest in the inbox, whose presence a session is told after `CaughtUp`, and users
/// it is kept informed of after a crash.
pub const MAX_WATCHED: usize = 200;
/// How often the presence of users on silent nodes is read again.
pub const PRESENCE_SWEEP: Duration = Duration::from_secs(10);
/// Users whom one user has blocked: more than anyone keeps in mind. `TOO_MANY_BLOCKS`.
pub const MAX_BLOCKS: u32 = 1_000;
/// Blocks that are remembered of all users together, each user counting as four: some 100 MB.
pub const RESERVES: u64 = 2_000_000;
/// What a user keeps from others is remembered no longer than this, whatever is heard.
pub const RESERVE_AGE: Duration = Duration::from_secs(60);
/// How long a change of it waits for the other nodes: longer than one that was not told of it takes
/// to notice that it is deaf (4 s).
pub const FORGOTTEN_WITHIN: Duration = Duration::from_secs(5);
/// Notifications of a user in the app: more than anyone looks through. The oldest go.
pub const MAX_NOTICES: u32 = 1_000;
/// Notifications that one call marks read. `FIELD_INVALID`.
pub const MAX_NOTICES_NAMED: usize = 100;
/// Messages that were not acknowledged by then came while the user was away.
pub const NOTICE_AFTER: Duration = Duration::from_secs(5);
/// By then all messages are in the log that will be: an append is given up after some seconds.
pub const NOTICE_AT_LAST: Duration = Duration::from_secs(60);
/// Notifications noted, and users told of them, at once.
pub const NOTICES_AT_ONCE: usize = 500;
/// A reaction that is not there so long after it was announced is not coming.
pub const REACTION_WITHIN: Duration = Duration::from_secs(15);
/// Users that one call may ask about. `FIELD_INVALID`.
pub const MAX_USERS_ASKED: usize = 100;
/// Users who are told of one's new name, smaller chats first; others learn it when they next look.
pub const PROFILE_TOLD_TO: usize = 5_000;
/// Users whose names are told in one step; the steps come one after the other.
pub const PROFILE_STEP: usize = 256;
/// A user's names are told no more often than this; the last one always is.
pub const PROFILE_PAUSE: Duration = Duration::from_secs(10);
/// Users with new names of which one node tells at once, and who may wait or pause; of more nobody
/// is told.
pub const PROFILES_AT_ONCE: usize = 4;
/// See [`PROFILES_AT_ONCE`].
pub const PROFILES_WAITING: usize = 10_000;
/// How long a stream may take to say Hello. `TIMED_OUT`.
pub const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// How long presence may take before a stream opens without it.
pub const PRESENCE_WITHIN: Duration = Duration::from_secs(1);
/// How long another node may take to answer for one of its sessions. `NODE_UNREACHABLE`.
pub const NODE_ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// How long a closed stream may take to hand its last frames to the network.
pub const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// Bytes of one page of an answer: half of what clients take by default is far off.
pub const MAX_PAGE_BYTES: usize = 1024 * 1024;
/// Bytes of a resume token that is looked at; a longer one is a GAP.
pub const MAX_RESUME_TOKEN: usize = 32 * 1024;
/// A node reads who was signed out this often, whatever the bus told it.
pub const REVOCATIONS_READ_EVERY: Duration = Duration::from_secs(10);
/// So many of them at once.
pub const REVOCATIONS_PAGE: u32 = 1_000;
/// Users of one call of a service that tells of them. `FIELD_INVALID`.
pub const MAX_UPSERTED_USERS: usize = 1_000;
/// What is to go for good (a user, the files of a deleted group) is looked for this often.
pub const ERASE_LOOK: Duration = Duration::from_secs(5);
/// A node that does it has died when this is over; as long as it lives it asks for more.
pub const ERASE_LEASE: Duration = Duration::from_secs(60);
/// Pause before it is tried again.
pub const ERASE_AGAIN: Duration = Duration::from_secs(30);
/// A deleted user is gone through once more after this: whatever call or stream had the user's token
/// has ended by then.
pub const ERASED_TWICE_AFTER: Duration = Duration::from_secs(120);
/// A deleted message is told again if that was less than this ago: who did it may have died.
pub const ERASED_TOLD_AGAIN: Duration = Duration::from_secs(600);
/// A group that is about to be deleted is looked at again after this; and that it will not be, once
/// it is there after so long.
pub const ERASED_AGAIN: Duration = Duration::from_secs(10);
/// See [`ERASED_AGAIN`].
pub const ERASE_GIVEN_UP: Duration = Duration::from_secs(600);
/// Messages, places and the like that go in one step, and that are read for it.
pub const ERASE_PAGE: u32 = 200;
/// Messages deleted at once: enough to fill the store's commits, and leave room for others.
pub const ERASED_AT_ONCE: usize = 8;
/// Blocks of a deleted user taken back at once: each waits for all nodes.
pub const FORGOTTEN_AT_ONCE: usize = 16;
/// Exports under way on one node. `RATE_LIMITED` beyond it.
pub const EXPORTS_AT_ONCE: usize = 8;
/// What an export reads at once: some MB at most.
pub const EXPORT_PAGE: u32 = 200;
/// Pieces of an export that wait for the network.
pub const EXPORT_WAITING: usize = 16;
/// An export that is not taken on for this long has ended. `TIMED_OUT`.
pub const EXPORT_PROGRESS_WITHIN: Duration = Duration::from_secs(60);
/// Characters of a `client` in Hello. `FIELD_INVALID`.
pub const MAX_CLIENT_NAME_CHARS: usize = 128;
/// Bytes of one attachment unless the operator says otherwise: a long video call's worth of
/// photographs, not a film. `FIELD_INVALID`.
pub const MAX_ATTACHMENT_BYTES: u32 = 25_000_000;
/// Attachments of one message: what a screen can show together. `FIELD_INVALID`.
pub const MAX_ATTACHMENTS: usize = 10;
/// Bytes of a file's name: what file systems take. `FIELD_INVALID`.
pub const MAX_FILE_NAME_BYTES: usize = 255;
/// Files of one user that no message has taken yet: five full messages. `TOO_MANY_UPLOADS`.
pub const MAX_UPLOADS: u32 = 50;
/// Bytes of a part of an upload by HTTP: what a bad link may have to send again.
pub const UPLOAD_PART: u32 = 8 * 1024 * 1024;
/// Uploads under way on one node, a piece of 1 MiB each in memory. `RATE_LIMITED` beyond it.
pub const UPLOADS_AT_ONCE: usize = 128;
/// Files that one node sends out at once, some 100 kB each in memory. `RATE_LIMITED` beyond it.
pub const DOWNLOADS_AT_ONCE: usize = 1_024;
/// An upload or a download that does not get on for this long has ended. `TIMED_OUT`.
pub const FILE_PROGRESS_WITHIN: Duration = Duration::from_secs(30);
/// An upload, or a part of one, takes no longer, however it gets on. `TIMED_OUT`.
pub const UPLOAD_WITHIN: Duration = Duration::from_secs(3600);
/// A file that no message has taken goes after this.
pub const ORPHAN_AGE: Duration = Duration::from_secs(24 * 3600);
/// Whether a message came of a claim is looked at after this: sends take seconds.
pub const CLAIM_AGE: Duration = Duration::from_secs(3600);
/// The same where its send was refused: one of the same id may be under way.
pub const CLAIM_REFUSED_AGE: Duration = Duration::from_secs(60);
/// Files that are due are looked after this often, so many at a time, and by another node if this
/// one has not been done with them after a while.
pub const FILE_SWEEP: Duration = Duration::from_secs(30);
/// Files looked after at a time.
pub const FILE_SWEEP_PAGE: u32 = 64;
/// How long one node has for them.
pub const FILE_SWEEP_LEASE: Duration = Duration::from_secs(600);
/// How long the URL of a file in a message is good, and up to a quarter more: within that it is
/// the same, so that browsers need not fetch what they have.
pub const MESSAGE_LINK_AGE: Duration = Duration::from_secs(3600);
/// The quarter.
pub const MESSAGE_LINK_GRAIN: Duration = Duration::from_secs(900);
/// How long the URL in an answer of GetAttachment is good.
pub const FILE_LINK_AGE: Duration = Duration::from_secs(300);
/// Pictures decoded at once: up to 200 MB each.
pub const PREVIEWS_AT_ONCE: usize = 2;
/// Pictures that may wait for that; others are made their previews later, by the sweep.
pub const PREVIEW_QUEUE: usize = 64;
/// How long the answer to an upload waits for its preview, so that a message sent at once has it.
pub const PREVIEW_WITHIN: Duration = Duration::from_secs(1);
/// Devices of one user that ask for pushes: more than anyone carries. `TOO_MANY_DEVICES`.
pub const MAX_DEVICES: u32 = 20;
/// Bytes of a push token: far beyond what any push service gives. `FIELD_INVALID`.
pub const MAX_PUSH_TOKEN_BYTES: usize = 4_096;
/// Bytes of a language tag: what RFC 5646 wants implementations to take. `FIELD_INVALID`.
pub const MAX_LOCALE_CHARS: usize = 35;
/// Characters of an app's version. `FIELD_INVALID`.
pub const MAX_APP_VERSION_CHARS: usize = 64;
/// Messages just stored that wait to be looked at; beyond it a later look finds them.
pub const PUSH_QUEUE: usize = 16_384;
/// Of these so many are looked at together.
pub const PUSH_BATCH: usize = 512;
/// So many times at once.
pub const PUSH_BATCHES: usize = 4;
/// Users whose unread messages are counted together, and their places: a user may have 2,000.
pub const UNREAD_USERS: usize = 128;
/// See [`UNREAD_USERS`].
pub const UNREAD_PLACES: usize = 2_000;
/// Users looked at together: one question to the store each for devices, places and standings.
pub const PUSH_USERS: usize = 500;
/// Pushes under way at once, of one batch.
pub const PUSHES_AT_ONCE: usize = 512;
/// What follows a push of a chat to a device within this time goes together.
pub const PUSH_APART: Duration = Duration::from_secs(5);
/// Devices with such a push to come on one node; more wait for a later look.
pub const PUSH_BURSTS: usize = 65_536;
/// Who pushes is left alone with it for this long: longer than the push service may take.
pub const PUSH_CLAIM: Duration = Duration::from_secs(30);
/// A message older than this is pushed only as the newest of its chat; and so long it is tried.
pub const PUSH_AGE: Duration = Duration::from_secs(3600);
/// Messages of the log looked at at once.
pub const PUSH_PAGE: u32 = 500;
/// For how long one node has the turn to read the log; then, if it died, another has it. One that
/// is slow may lose it in mid-page: what it has claimed nobody else pushes.
pub const PUSH_TURN: Duration = Duration::from_secs(15);
/// Pushes that were put off, taken at once.
pub const PUSH_JOBS: u32 = 64;
/// Who takes one has it for this long.
pub const PUSH_JOB_LEASE: Duration = Duration::from_secs(60);
/// Chats looked at for a push at the end of quiet hours, the newest: of more nobody reads the count.
pub const DIGEST_CHATS: usize = 100;
/// Of each of them so many unread messages are looked at, the newest: one that may ring is enough.
pub const DIGEST_MESSAGES: usize = 10;
/// Acknowledgements that wait to be noted for their device; beyond it they count for receipts
/// alone, and the device may be pushed what it has.
pub const ACKED_QUEUE: usize = 65_536;
/// Of these so many devices and chats are written together.
pub const ACKED_BATCH: usize = 1_000;
/// Chats in which something was read, and whose pushes are to be cleared; of more they stay on the
/// screen until the app is opened.
pub const CLEAR_QUEUE: usize = 16_384;
/// Of these so many are looked at together.
pub const CLEAR_BATCH: usize = 500;
/// Messages that a stream remembers it was given, for whoever asks why one rang: with a stamp each
/// a kilobyte a busy stream, nothing for an idle one.
pub const WRITTEN_REMEMBERED: usize = 32;
/// Devices of which the same is remembered when their stream has ended: some megabytes.
pub const WRITTEN_GONE: u64 = 10_000;
/// Pushes that other nodes are asked about in one envelope.
pub const DUE_ASKED: usize = 256;
/// Rules that held a push back, noted by one node in a second: a few percent of what a store does.
/// Of more the settings of now are told.
pub const RULES_NOTED: u32 = 500;
