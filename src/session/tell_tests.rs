use clap::Parser as _;
use futures_util::FutureExt as _;
use futures_util::stream::StreamExt as _;

use super::super::outbox::outbox;
use super::super::run::Start;
use super::super::{Commands, Frames, Times};
use super::*;
use crate::auth::Verifier;
use crate::bus::{self, BusOptions, Place};
use crate::chat::hub::{Listener, Who};
use crate::chat::position::Position;
use crate::chat::rate::UserLimits;
use crate::chat::replay::{Lacks, Opening};
use crate::chat::send::Draft;
use crate::chat::{Service, Settings};
use crate::clock::{Clock, SystemClock};
use crate::config::{Cli, Command, Config};
use crate::error::Error;
use crate::model::{DeviceId, SessionId, UserId};
use crate::push::Push;
use crate::trace::{Trace, TraceId};
use crate::vital::Vital;
use crate::webhook::Webhooks;
use crate::wire::EncodedFrame;

const LONG: std::time::Duration = std::time::Duration::from_secs(60);

/// A stream that is caught up and has this chat up to its first message, and what it tells.
async fn session(dir: &std::path::Path, chat: ChatId) -> (Session, Frames) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let Command::Serve(args) = Cli::try_parse_from(["adda", "serve", "--dev"]).unwrap().command
    else {
        panic!()
    };
    let config = Config::check(&args, |_| None).unwrap();
    let verifier = Verifier::open(&config.tokens, Arc::clone(&clock)).await.unwrap();
    let vital = Vital::default();
    let store = format!("sqlite:{}", dir.join("adda.db").display());
    let store = crate::store::open(&store, Arc::clone(&clock), &vital).await.unwrap();
    let options = BusOptions { url: "memory:".to_owned(), lease: LONG };
    let bus = bus::open(options, Arc::clone(&clock), &vital).await.unwrap();
    let place = Place {
        node: bus.node().clone(),
        session: SessionId(clock.new_id()),
        device: DeviceId::new("phone"),
        foreground: true,
        since: clock.now(),
    };
    let settings = Settings {
        max_group_members: 10,
        rates: UserLimits::default(),
        edit_window: LONG,
        notices_kept: LONG,
        search: true,
        resume_window: LONG,
        presence_lease: LONG,
        presence_grace: LONG,
        attachments: None,
        max_attachment_bytes: 0,
        push: Push::off(),
    };
    let service =
        Service::start(store, bus, Arc::clone(&clock), (settings, Webhooks::off()), &vital)
            .await
            .unwrap();
    let who = Who {
        user: UserId::new("alice"),
        session: place.session,
        device: place.device.clone(),
        instance: String::new(),
        generation: 0,
    };
    let (listener, inbox) = Listener::new(who, place);
    let (outbox, frames) = outbox();
    let mut position = Position::new(clock.now(), clock.now());
    position.reach(chat, 1, MessageId(clock.new_id()));
    let mut session = Session::new(Start {
        service,
        verifier: Arc::new(verifier),
        times: Times {
            heartbeat: LONG,
            heartbeat_timeout: LONG,
            subscribe_heartbeat: LONG,
            subscribe_heartbeat_timeout: LONG,
            token_leeway: LONG,
        },
        leave: Arc::default(),
        listener,
        inbox,
        outbox,
        opening: Opening {
            outcome: proto::ResumeOutcome::Fresh,
            position: position.clone(),
            caught_up: position,
            lacks: Lacks::default(),
            direct: Vec::new(),
            unread_notices: 0,
        },
        commands: Commands::Subscribe,
        trace: Trace::unrecorded(TraceId::new(&*clock)),
        token_expires_at: clock.now().plus(LONG),
    });
    session.replayed(None).unwrap();
    (session, frames)
}

fn draft(chat: ChatId) -> Draft {
    Draft {
        chat_id: chat.to_string(),
        client_message_id: "id".to_owned(),
        kind: proto::MessageType::Unspecified,
        text: "text".to_owned(),
        attachment_ids: Vec::new(),
        reply_to: String::new(),
        mentions: Vec::new(),
    }
}

fn told(chat: ChatId, seq: Seq, id: MessageId) -> Told {
    // As long as its seq, to be known by it.
    let message = "x".repeat(seq as usize * 100);
    let close = proto::Close { message, ..proto::Close::default() };
    Told::Message { chat, seq, id, frame: EncodedFrame::of(Frame::Close(close)) }
}

#[tokio::test]
async fn what_waits_for_an_ack_is_no_hole_and_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let chat = ChatId(SystemClock.new_id());
    let (mut session, mut frames) = session(dir.path(), chat).await;
    while frames.next().now_or_never().is_some() {}

    // Two sends of this stream; the second is stored and told before the first is refused.
    let name = chat.to_string();
    let [first, second, other] = [(); 3].map(|()| MessageId(SystemClock.new_id()));
    for (ack_id, id) in [("first", first), ("second", second)] {
        session.sends.begin(ack_id.to_owned(), draft(chat));
        session.sends.checked(&name, Ok(id));
    }
    session.tell(Arc::new(told(chat, 2, second))).unwrap();
    session.tell(Arc::new(told(chat, 3, other))).unwrap();
    assert!(session.replay.is_none(), "there is no hole to look for");
    // A comparison that is begun now brings both again.
    let (to, from) = tokio::sync::mpsc::channel(8);
    session.resume_from(from);
    session.replayed(Some(Ok(told(chat, 2, second)))).unwrap();
    session.replayed(Some(Ok(told(chat, 3, other)))).unwrap();
    session.replayed(None).unwrap();
    drop(to);
    assert!(frames.next().now_or_never().is_none(), "all wait for the first Ack");

    session.sends.stored(&name, first, Err(Error::chat_not_found()));
    session.advance(&name).unwrap();
    let mut sizes = Vec::new();
    while let Some(Some(frame)) = frames.next().now_or_never() {
        sizes.push(frame.unwrap().size() / 100);
    }
    assert_eq!(sizes[sizes.len() - 2..], [2, 3]);
    assert_eq!(sizes.len(), 4, "two Acks, then each message once");
    assert_eq!(session.position.reached(chat), Some(3));
}
