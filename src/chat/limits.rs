//! Every bound of the service in one place, each with its reason and what happens at it.

use std::time::Duration;

/// Bytes of a message's text after normalisation: a long letter, not a file. `FIELD_INVALID`.
pub const MAX_TEXT_BYTES: usize = 8 * 1024;
/// Marks that combine with one character: no writing system needs more. `FIELD_INVALID`.
pub const MAX_COMBINING_MARKS: usize = 30;
/// Characters of a title. `FIELD_INVALID`.
pub const MAX_TITLE_CHARS: usize = 128;
/// Characters of an id that a client chooses. `FIELD_INVALID`.
pub const MAX_CLIENT_ID_CHARS: usize = 64;
/// Characters of a search of the inbox. `FIELD_INVALID`.
pub const MAX_QUERY_CHARS: usize = 100;
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
pub const MAX_PINNED: usize = 20;
/// Bytes of the address of a picture. `FIELD_INVALID`.
pub const MAX_AVATAR_URL_BYTES: usize = 2_048;
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
/// Characters of a `client` in Hello. `FIELD_INVALID`.
pub const MAX_CLIENT_NAME_CHARS: usize = 128;
