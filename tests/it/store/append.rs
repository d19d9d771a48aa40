//! `append`: order, repeats, who may.

use std::collections::BTreeMap;

use adda::model::NoteKind;
use adda::store::{AppendError, StoreError};
use tokio::task::JoinSet;

use super::{Bench, on_every_store, seqs, user};

on_every_store!(
    what_is_appended_is_read_as_it_was,
    seq_runs_from_one_without_a_hole,
    the_newest_is_known_at_once,
    many_at_once_leave_no_hole_in_any_chat,
    the_order_of_calls_is_the_order_of_seq,
    the_order_is_that_of_the_calls_not_of_the_polls,
    who_was_answered_before_has_the_lower_seq,
    dropping_the_future_does_not_stop_it,
    a_repeat_is_answered_with_what_is_there,
    repeats_at_once_are_one_message,
    a_repeat_with_another_content_is_refused,
    a_repeat_of_a_deleted_message_is_answered_with_what_is_left,
    client_ids_of_others_and_in_other_chats_are_others,
    a_stranger_is_refused,
    a_chat_that_is_not_there_is_refused,
    a_refused_one_takes_no_seq,
    notes_are_not_asked_and_repeat_too,
    any_text_comes_back_as_it_was,
    ids_that_look_like_operators_are_text,
    too_many_under_way_are_refused_at_once,
);

async fn what_is_appended_is_read_as_it_was(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    let first = bench.send(chat, "ana").await;
    let mut new = bench.message(chat, "bob", "c1");
    new.reply_to = Some((first.id, first.seq));
    new.content_hash = [0xff; 16];
    let message = bench.append(new.clone()).await;
    assert_eq!(message, new.at(2));
    let note = bench.note(chat, NoteKind::TitleChanged, "n1");
    assert_eq!(bench.append(note.clone()).await, note.at(3));
    assert_eq!(bench.all(chat).await, [first, new.at(2), note.at(3)]);
}

async fn seq_runs_from_one_without_a_hole(bench: &Bench) {
    let (one, two) = (bench.group(&["ana"]).await, bench.group(&["ana"]).await);
    for seq in 1..=5 {
        assert_eq!(bench.send(one, "ana").await.seq, seq);
        assert_eq!(bench.send(two, "ana").await.seq, seq);
    }
}

async fn the_newest_is_known_at_once(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    assert_eq!(bench.node().newest(chat).await.unwrap(), 0);
    for seq in 1..=3 {
        bench.send(chat, "ana").await;
        assert_eq!(bench.node().newest(chat).await.unwrap(), seq);
    }
}

async fn many_at_once_leave_no_hole_in_any_chat(bench: &Bench) {
    const TASKS: usize = 8;
    const EACH: usize = 25;
    let mut chats = Vec::new();
    for _ in 0..3 {
        chats.push(bench.group(&["ana", "bob"]).await);
    }
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = bench.node().clone();
        let sender = if task % 2 == 0 { "ana" } else { "bob" };
        let messages: Vec<_> = (0..EACH)
            .map(|at| bench.message(chats[at % 3], sender, &format!("{task}-{at}")))
            .collect();
        tasks.spawn(async move {
            let all = messages.into_iter().map(|message| store.append(message));
            futures_util::future::join_all(all).await
        });
    }
    let mut answered = BTreeMap::new();
    for appended in tasks.join_all().await.into_iter().flatten() {
        let appended = appended.unwrap();
        assert!(!appended.duplicate);
        let message = appended.message.as_ref().clone();
        assert!(answered.insert((message.chat, message.seq), message).is_none());
    }
    assert_eq!(answered.len(), TASKS * EACH);
    for chat in chats {
        let all = bench.all(chat).await;
        assert_eq!(seqs(&all), (1..=u32::try_from(all.len()).unwrap()).collect::<Vec<_>>());
        for message in all {
            assert_eq!(answered.remove(&(chat, message.seq)), Some(message));
        }
    }
    assert!(answered.is_empty());
}

async fn the_order_of_calls_is_the_order_of_seq(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    let store = bench.node();
    let calls: Vec<_> = (0..100)
        .map(|at| {
            let sender = if at % 3 == 0 { "ana" } else { "bob" };
            store.append(bench.message(chat, sender, &at.to_string()))
        })
        .collect();
    let answers = futures_util::future::join_all(calls).await;
    let seqs: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().message.seq).collect();
    assert_eq!(seqs, (1..=100).collect::<Vec<_>>());
}

async fn the_order_is_that_of_the_calls_not_of_the_polls(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let store = bench.node();
    let first = store.append(bench.message(chat, "ana", "first"));
    let second = store.append(bench.message(chat, "ana", "second"));
    let second = second.await.unwrap().message.seq;
    let first = first.await.unwrap().message.seq;
    assert_eq!((first, second), (1, 2));
}

async fn who_was_answered_before_has_the_lower_seq(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let mut newest = 0;
    for _ in 0..20 {
        let seq = bench.send(chat, "ana").await.seq;
        assert!(seq > newest);
        newest = seq;
    }
}

async fn dropping_the_future_does_not_stop_it(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let store = bench.node();
    drop(store.append(bench.message(chat, "ana", "dropped")));
    let next = store.append(bench.message(chat, "ana", "kept")).await.unwrap();
    assert_eq!(next.message.seq, 2);
    let dropped = bench.node().by_client_id(chat, &user("ana"), "dropped").await.unwrap();
    assert_eq!(dropped.unwrap().seq, 1);
}

async fn a_repeat_is_answered_with_what_is_there(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let first = bench.append(bench.message(chat, "ana", "c1")).await;
    bench.send(chat, "ana").await;
    for _ in 0..3 {
        let mut repeat = bench.message(chat, "ana", "c1");
        repeat.text.push_str(": the hash is what is compared");
        let again = bench.node().append(repeat).await.unwrap();
        assert!(again.duplicate);
        assert_eq!(*again.message, first);
    }
    assert_eq!(bench.all(chat).await.len(), 2);
}

async fn repeats_at_once_are_one_message(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let calls: Vec<_> =
        (0..20).map(|_| bench.node().append(bench.message(chat, "ana", "c1"))).collect();
    let answers = futures_util::future::join_all(calls).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| !answer.duplicate).count(), 1);
    let all = bench.all(chat).await;
    assert_eq!(all.len(), 1);
    assert!(answers.iter().all(|answer| *answer.message == all[0]));
}

async fn a_repeat_with_another_content_is_refused(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let first = bench.append(bench.message(chat, "ana", "c1")).await;
    let mut other = bench.message(chat, "ana", "c1");
    other.content_hash = [9; 16];
    let refused = bench.node().append(other).await;
    assert!(matches!(refused, Err(AppendError::Reused)), "{refused:?}");
    assert_eq!(bench.all(chat).await, [first]);
}

async fn a_repeat_of_a_deleted_message_is_answered_with_what_is_left(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let first = bench.append(bench.message(chat, "ana", "c1")).await;
    let deleted = bench.node().delete_message(chat, first.id).await.unwrap().unwrap();
    let again = bench.node().append(bench.message(chat, "ana", "c1")).await.unwrap();
    assert!(again.duplicate);
    assert_eq!(*again.message, deleted);
}

async fn client_ids_of_others_and_in_other_chats_are_others(bench: &Bench) {
    let (one, two) = (bench.group(&["ana", "bob"]).await, bench.group(&["ana"]).await);
    for message in [
        bench.message(one, "ana", "same"),
        bench.message(one, "bob", "same"),
        bench.note(one, NoteKind::TitleChanged, "same"),
        bench.message(two, "ana", "same"),
        bench.message(two, "ana", "SAME"),
        bench.message(two, "ana", "same "),
    ] {
        bench.append(message).await;
    }
    assert_eq!((bench.all(one).await.len(), bench.all(two).await.len()), (3, 3));
}

async fn a_stranger_is_refused(bench: &Bench) {
    let empty = bench.group(&["ana"]).await;
    let busy = bench.group(&["ana"]).await;
    bench.send(busy, "ana").await;
    for chat in [empty, busy] {
        let refused = bench.node().append(bench.message(chat, "eve", "c1")).await;
        assert!(matches!(refused, Err(AppendError::NotMember)), "{refused:?}");
        let found = bench.node().by_client_id(chat, &user("eve"), "c1").await.unwrap();
        assert_eq!(found, None);
    }
}

async fn a_chat_that_is_not_there_is_refused(bench: &Bench) {
    let chat = bench.chat_id();
    let refused = bench.node().append(bench.message(chat, "ana", "c1")).await;
    assert!(matches!(refused, Err(AppendError::NotMember)), "{refused:?}");
}

async fn a_refused_one_takes_no_seq(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    let store = bench.node();
    let calls: Vec<_> = (0..60)
        .map(|at| {
            let sender = ["ana", "eve", "bob"][at % 3];
            let mut message = bench.message(chat, sender, &(at / 6).to_string());
            message.content_hash = [u8::from(at % 6 > 2); 16];
            store.append(message)
        })
        .collect();
    for (at, answer) in futures_util::future::join_all(calls).await.into_iter().enumerate() {
        match answer {
            Err(AppendError::NotMember) => assert_eq!(at % 3, 1),
            Err(AppendError::Reused) => assert!(at % 6 > 2),
            Ok(appended) => assert!(!appended.duplicate && at % 6 <= 2),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(seqs(&bench.all(chat).await), (1..=20).collect::<Vec<_>>());
}

async fn notes_are_not_asked_and_repeat_too(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    for kind in NoteKind::ALL {
        let new = bench.note(chat, kind, &kind.number().to_string());
        let note = bench.append(new.clone()).await;
        assert_eq!(note.note, new.note);
        let mut repeat = bench.note(chat, kind, &kind.number().to_string());
        let again = bench.node().append(repeat.clone()).await.unwrap();
        assert!(again.duplicate);
        assert_eq!(*again.message, note);
        repeat.content_hash = [7; 16];
        let refused = bench.node().append(repeat).await;
        assert!(matches!(refused, Err(AppendError::Reused)), "{refused:?}");
    }
    let bare = adda::model::SystemNote {
        kind: NoteKind::MemberLeft,
        actor: None,
        users: Vec::new(),
        title: String::new(),
    };
    let mut new = bench.note(chat, NoteKind::MemberLeft, "bare");
    new.note = Some(bare.clone());
    bench.append(new).await;
    assert_eq!(bench.all(chat).await.pop().unwrap().note, Some(bare));
}

async fn any_text_comes_back_as_it_was(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let texts = [
        "আড্ডা: ক্ষ্ম, র‍্যাব, কোন্‌টা".to_owned(),
        "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467} \u{1f3f3}\u{fe0f}\u{200d}\u{1f308}".to_owned(),
        "a\tb\nc \"quoted\" \\ $where { $gt: 1 } '; DROP TABLE messages; --".to_owned(),
        "ড".repeat(8192 / 3),
        "x".repeat(8192),
        "nul \0 within".to_owned(),
    ];
    for (at, text) in texts.iter().enumerate() {
        let mut message = bench.message(chat, "ana", &at.to_string());
        message.text.clone_from(text);
        assert_eq!(bench.append(message).await.text, *text);
    }
    let read: Vec<_> = bench.all(chat).await.into_iter().map(|message| message.text).collect();
    assert_eq!(read, texts);
}

async fn ids_that_look_like_operators_are_text(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    for id in [r#"{"$gt":""}"#, "$where", "a.b", "' OR '1'='1", "%", "চিঠি-১"] {
        let found = bench.node().by_client_id(chat, &user("ana"), id).await.unwrap();
        assert_eq!(found, None, "{id}");
        let sent = bench.append(bench.message(chat, "ana", id)).await;
        let found = bench.node().by_client_id(chat, &user("ana"), id).await.unwrap();
        assert_eq!(found, Some(sent), "{id}");
    }
}

async fn too_many_under_way_are_refused_at_once(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let store = bench.node();
    let calls: Vec<_> =
        (0..50_000).map(|at| store.append(bench.message(chat, "ana", &at.to_string()))).collect();
    // How many of them find room is the backend's; all of them are answered, and what was
    // refused for want of room is not there.
    let mut refused = 0;
    let mut kept = Vec::new();
    for answer in futures_util::future::join_all(calls).await {
        match answer {
            Ok(appended) => kept.push(appended.message.seq),
            Err(AppendError::Store(StoreError::Busy)) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0, "nothing bounds the queue");
    let newest = u32::try_from(kept.len()).unwrap();
    assert_eq!(kept, (1..=newest).collect::<Vec<_>>());
    let head = bench.node().heads(&[chat]).await.unwrap();
    assert_eq!(head[0].seq, newest);
    let again = bench.node().append(bench.message(chat, "ana", "0")).await.unwrap();
    assert!(again.duplicate);
}
