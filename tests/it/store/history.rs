//! Reading the log.

use adda::clock::Timestamp;
use adda::model::{ChatId, MessageId, NoteKind};
use adda::store::{Head, Span, WrittenBy};

use super::{Bench, on_every_store, run, seqs, sorted, user};

on_every_store!(
    heads_are_the_newest_of_chats_that_have_one,
    history_before_goes_down_from_below,
    history_after_goes_up_from_above,
    history_stays_in_its_chat,
    messages_are_those_of_the_places,
    a_message_is_found_by_its_id_in_its_chat,
    the_log_goes_by_id,
    what_was_sent_is_found_by_its_client_id,
    written_in_are_the_chats_with_a_message_of_the_user,
    senders_are_those_of_the_runs_each_once,
    nothing_asked_is_nothing_answered,
);

async fn heads_are_the_newest_of_chats_that_have_one(bench: &Bench) {
    let (one, two) = (bench.group(&["ana"]).await, bench.group(&["ana"]).await);
    let empty = bench.group(&["ana"]).await;
    bench.send(one, "ana").await;
    let mut want = Vec::new();
    for chat in [one, two] {
        let newest = bench.send(chat, "ana").await;
        want.push((chat, newest.seq, newest.id));
    }
    let asked = [one, bench.chat_id(), two, one, empty];
    let heads = bench.node().heads(&asked).await.unwrap();
    let heads = sorted(heads.into_iter().map(|Head { chat, seq, id }| (chat, seq, id)));
    assert_eq!(heads, sorted(want));
}

async fn history_before_goes_down_from_below(bench: &Bench) {
    let chat = ten(bench).await;
    for (before, from, limit, want) in [
        (8, 1, 3, vec![7, 6, 5]),
        (8, 6, 10, vec![7, 6]),
        (100, 1, 2, vec![10, 9]),
        (u32::MAX, 9, 5, vec![10, 9]),
        (1, 1, 5, vec![]),
        (0, 0, 5, vec![]),
        (5, 5, 5, vec![]),
        (5, 1, 0, vec![]),
        (3, 0, 5, vec![2, 1]),
    ] {
        let page = bench.node().history(chat, Span::Before(before), from, limit).await.unwrap();
        assert_eq!(seqs(&page), want, "before {before} from {from}, {limit}");
    }
}

async fn history_after_goes_up_from_above(bench: &Bench) {
    let chat = ten(bench).await;
    for (after, from, limit, want) in [
        (0, 1, 3, vec![1, 2, 3]),
        (3, 1, 3, vec![4, 5, 6]),
        (0, 9, 10, vec![9, 10]),
        (3, 4, 2, vec![4, 5]),
        (10, 1, 5, vec![]),
        (0, 11, 5, vec![]),
        (0, 1, 0, vec![]),
    ] {
        let page = bench.node().history(chat, Span::After(after), from, limit).await.unwrap();
        assert_eq!(seqs(&page), want, "after {after} from {from}, {limit}");
    }
}

async fn history_stays_in_its_chat(bench: &Bench) {
    let (one, two) = (ten(bench).await, ten(bench).await);
    for span in [Span::After(0), Span::Before(11)] {
        let page = bench.node().history(one, span, 1, 100).await.unwrap();
        assert_eq!(page.len(), 10);
        assert!(page.iter().all(|message| message.chat == one && message.chat != two));
        let none = bench.node().history(bench.chat_id(), span, 1, 100).await.unwrap();
        assert_eq!(none, []);
    }
}

async fn messages_are_those_of_the_places(bench: &Bench) {
    let (one, two) = (ten(bench).await, ten(bench).await);
    let places = [(one, 3), (two, 3), (one, 10), (one, 3), (one, 11), (two, 0), (one, u32::MAX)];
    let places = [&places[..], &[(bench.chat_id(), 1)]].concat();
    let found = bench.node().messages(&places).await.unwrap();
    let found = sorted(found.iter().map(|message| (message.chat, message.seq)));
    assert_eq!(found, sorted([(one, 3), (one, 10), (two, 3)]));
}

async fn a_message_is_found_by_its_id_in_its_chat(bench: &Bench) {
    let (one, two) = (bench.group(&["ana"]).await, bench.group(&["ana"]).await);
    let message = bench.send(one, "ana").await;
    assert_eq!(bench.node().message(one, message.id).await.unwrap(), Some(message.clone()));
    assert_eq!(bench.node().message(two, message.id).await.unwrap(), None);
    let unknown = MessageId(bench.clock.new_id());
    assert_eq!(bench.node().message(one, unknown).await.unwrap(), None);
}

async fn the_log_goes_by_id(bench: &Bench) {
    let (one, two) = (bench.group(&["ana"]).await, bench.group(&["ana"]).await);
    let mut sent = Vec::new();
    for at in 0..9 {
        let chat = if at % 2 == 0 { one } else { two };
        // Made in another order than they are appended.
        sent.push(bench.message(chat, "ana", &at.to_string()));
    }
    for at in [3, 1, 0, 2, 8, 7, 5, 6, 4] {
        bench.append(sent[at].clone()).await;
    }
    let before = MessageId(Timestamp(sent[0].id.time().0).first_id());
    let mut after = before;
    let mut read = Vec::new();
    loop {
        let page = bench.node().log(after, 4).await.unwrap();
        assert!(page.len() <= 4);
        let Some(last) = page.last() else { break };
        after = last.id;
        read.extend(page);
    }
    let ids = |messages: &[adda::model::Message]| -> Vec<MessageId> {
        messages.iter().map(|message| message.id).collect()
    };
    assert_eq!(ids(&read), sent.iter().map(|message| message.id).collect::<Vec<_>>());
    let above = bench.node().log(sent[6].id, 100).await.unwrap();
    assert_eq!(ids(&above), [sent[7].id, sent[8].id]);
}

async fn what_was_sent_is_found_by_its_client_id(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    let sent = bench.append(bench.message(chat, "ana", "c1")).await;
    bench.append(bench.note(chat, NoteKind::TitleChanged, "c2")).await;
    let store = bench.node();
    assert_eq!(store.by_client_id(chat, &user("ana"), "c1").await.unwrap(), Some(sent));
    for (sender, id) in [("bob", "c1"), ("ana", "c"), ("ana", "C1"), ("ana", "c2"), ("ana", "")] {
        let found = bench.node().by_client_id(chat, &user(sender), id).await.unwrap();
        assert_eq!(found, None, "{sender} {id}");
    }
    let elsewhere = bench.node().by_client_id(bench.chat_id(), &user("ana"), "c1").await.unwrap();
    assert_eq!(elsewhere, None);
}

async fn written_in_are_the_chats_with_a_message_of_the_user(bench: &Bench) {
    let (one, two) = (bench.group(&["ana", "bob"]).await, bench.group(&["ana", "bob"]).await);
    let silent = bench.group(&["ana", "bob"]).await;
    let not_asked = bench.group(&["ana", "bob"]).await;
    for chat in [one, one, two, not_asked] {
        bench.send(chat, "ana").await;
    }
    bench.send(silent, "bob").await;
    bench.append(bench.note(silent, NoteKind::TitleChanged, "by ana")).await;
    let asked = [one, silent, two, one, bench.chat_id()];
    let found = bench.node().written_in(WrittenBy::User(user("ana")), &asked).await.unwrap();
    assert_eq!(sorted(found), sorted([one, two]));
    assert_eq!(bench.node().written_in(WrittenBy::User(user("eve")), &asked).await.unwrap(), []);
    let others = [("ana", vec![silent]), ("bob", vec![one, two]), ("eve", vec![one, two, silent])];
    for (name, chats) in others {
        let found =
            bench.node().written_in(WrittenBy::AnyoneBut(user(name)), &asked).await.unwrap();
        assert_eq!(sorted(found), sorted(chats), "others than {name}; notes are nobody's");
    }
}

async fn senders_are_those_of_the_runs_each_once(bench: &Bench) {
    let chat = bench.group(&["ana", "bob", "cem"]).await;
    for sender in ["ana", "bob", "ana", "cem", "cem"] {
        bench.send(chat, sender).await;
    }
    bench.append(bench.note(chat, NoteKind::TitleChanged, "n")).await;
    for (runs, want) in [
        (vec![run(1, 3)], vec!["ana", "bob"]),
        (vec![run(1, 1), run(3, 4)], vec!["ana", "cem"]),
        (vec![run(4, 1000)], vec!["cem"]),
        (vec![run(6, 6)], vec![]),
        (vec![run(7, 90)], vec![]),
        (vec![], vec![]),
    ] {
        let found = bench.node().senders(chat, &runs).await.unwrap();
        assert_eq!(sorted(found), want.into_iter().map(user).collect::<Vec<_>>(), "{runs:?}");
    }
}

async fn nothing_asked_is_nothing_answered(bench: &Bench) {
    let store = bench.node();
    ten(bench).await;
    assert_eq!(store.heads(&[]).await.unwrap(), []);
    assert_eq!(store.messages(&[]).await.unwrap(), []);
    assert_eq!(store.written_in(WrittenBy::User(user("ana")), &[]).await.unwrap(), []);
    let changed = store.changed_messages(&[], adda::store::ChangeCursor::default(), 9).await;
    assert!(changed.unwrap().is_empty());
    assert_eq!(store.chats(&[]).await.unwrap(), []);
    assert_eq!(store.pairs(&[]).await.unwrap(), []);
    assert!(store.count_memberships(&[]).await.unwrap().is_empty());
    assert_eq!(store.changed_chats(&[], Timestamp(0)).await.unwrap(), []);
    assert_eq!(store.mark(Vec::new()).await.unwrap(), []);
    assert_eq!(store.changed_receipts(&[], Timestamp(0), 9).await.unwrap(), []);
    assert!(store.count_unread(&[]).await.unwrap().is_empty());
    assert_eq!(store.users(&[]).await.unwrap(), []);
}

/// A chat of ten messages.
async fn ten(bench: &Bench) -> ChatId {
    let chat = bench.group(&["ana"]).await;
    for _ in 0..10 {
        bench.send(chat, "ana").await;
    }
    chat
}
