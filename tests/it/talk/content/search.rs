//! Finding messages.

use adda::proto::{self, DeleteScope, SearchMessagesRequest};
use tonic::Code;

use super::{delete, edit, say, search, words};
use crate::on_both_backends;
use crate::world::{Api, Backends, Refusal, World, history, send, unique};

on_both_backends! {
    words_are_found_in_all_ones_chats,
    bengali_and_others_are_found,
    only_what_one_may_see_is_found,
    a_chat_a_sender_and_a_span_narrow_it,
    pages_are_for_one_question_of_one_user,
    hostile_questions_are_text_or_refused,
}

async fn texts(api: &mut Api, request: SearchMessagesRequest) -> Vec<String> {
    let (messages, _) = search(api, request).await.unwrap();
    messages.into_iter().map(|message| message.text).collect()
}

async fn words_are_found_in_all_ones_chats(world: World) {
    let (direct, group) =
        (world.direct("alice", "bob").await, world.group("alice", &["bob"]).await);
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    say(&mut alice, &direct, "The quick brown fox").await;
    say(&mut bob, &group, "A quick question").await;
    say(&mut alice, &direct, "Nothing of it").await;
    for api in [&mut alice, &mut bob] {
        let newest_first = ["A quick question", "The quick brown fox"];
        assert_eq!(texts(api, words("quick")).await, newest_first);
        assert_eq!(texts(api, words("QUI")).await, newest_first);
        assert_eq!(texts(api, words("brown QUICK")).await, newest_first[1..]);
        assert_eq!(texts(api, words("question fox")).await, [""; 0]);
    }
    let (found, _) = search(&mut alice, words("fox")).await.unwrap();
    let listed = history(&mut alice, &direct).await.remove(0);
    assert_eq!(found, [proto::Message { state: 0, ..listed }], "without receipts");
}

async fn bengali_and_others_are_found(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    for (text, query) in [
        ("কাল বিকেলে আড্ডা হবে", "আড্ডা"),
        ("ক্ষমা করো", "ক্ষ"),
        ("র\u{200d}্যাব এসেছে", "র্যাব"),
        ("Привет, ещё раз", "еще"),
        ("我们明天见", "明天"),
        ("한국어를 배워요", "한국어"),
        ("مُحَمَّد هنا", "محمد"),
        ("Déjà vu", "deja"),
    ] {
        say(&mut alice, &chat, text).await;
        assert_eq!(texts(&mut alice, words(query)).await, [text], "{query}");
    }
    assert_eq!(texts(&mut alice, words("আড্ডি")).await, [""; 0], "another vowel sign");
}

async fn only_what_one_may_see_is_found(world: World) {
    let (ours, theirs) = (world.direct("alice", "bob").await, world.direct("bob", "carol").await);
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    let kept = say(&mut alice, &ours, "secret kept").await;
    let gone = say(&mut alice, &ours, "secret gone").await;
    let hidden = say(&mut bob, &ours, "secret hidden").await;
    say(&mut bob, &theirs, "secret of others").await;
    delete(&mut alice, &gone, DeleteScope::Everyone).await.unwrap();
    delete(&mut alice, &hidden, DeleteScope::Me).await.unwrap();
    assert_eq!(texts(&mut alice, words("secret")).await, ["secret kept"]);
    assert_eq!(texts(&mut world.api("mallory").await, words("secret")).await, [""; 0]);
    edit(&mut alice, &kept, "public").await.unwrap();
    assert_eq!(texts(&mut alice, words("secret")).await, [""; 0]);
    assert_eq!(texts(&mut alice, words("publ")).await, ["public"]);
    assert_eq!(texts(&mut bob, words("secret")).await, ["secret of others", "secret hidden"]);
    for stranger in [theirs, unique()] {
        let request = SearchMessagesRequest { chat_id: stranger, ..words("secret") };
        let refused = Refusal::from(search(&mut alice, request).await);
        assert_eq!((refused.code, refused.what()), (Code::NotFound, ("CHAT_NOT_FOUND", "")));
    }
}

async fn a_chat_a_sender_and_a_span_narrow_it(world: World) {
    let (one, two) = (world.direct("alice", "bob").await, world.direct("alice", "carol").await);
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    say(&mut alice, &one, "word 1").await;
    say(&mut bob, &one, "word 2").await;
    say(&mut alice, &two, "word 3").await;
    let in_one = SearchMessagesRequest { chat_id: one.clone(), ..words("word") };
    assert_eq!(texts(&mut alice, in_one.clone()).await, ["word 2", "word 1"]);
    let by_bob = SearchMessagesRequest { sender_id: "bob".to_owned(), ..words("word") };
    assert_eq!(texts(&mut alice, by_bob).await, ["word 2"]);
    let at = |nth: usize, messages: &[proto::Message]| messages[nth].created_at;
    let all = history(&mut alice, &one).await;
    let since = SearchMessagesRequest { since: at(1, &all), ..words("word") };
    assert_eq!(texts(&mut alice, since).await, ["word 3", "word 2"], "at or after");
    let until = SearchMessagesRequest { until: at(1, &all), ..words("word") };
    let before = if at(0, &all) == at(1, &all) { vec![] } else { vec!["word 1"] };
    assert_eq!(texts(&mut alice, until).await, before, "before");
    let none = SearchMessagesRequest { since: at(1, &all), until: at(0, &all), ..words("word") };
    assert_eq!(texts(&mut alice, none).await, [""; 0]);
    for seconds in [-62_135_596_800, i64::MIN / 1000, 253_402_300_799, i64::MAX / 1000] {
        let of = Some(prost_types::Timestamp { seconds, nanos: 0 });
        let (since, until) = (
            SearchMessagesRequest { since: of, ..words("word") },
            SearchMessagesRequest { until: of, ..words("word") },
        );
        let (later, earlier) = (texts(&mut alice, since).await, texts(&mut alice, until).await);
        let want = if seconds > 0 { (0, 3) } else { (3, 0) };
        assert_eq!((later.len(), earlier.len()), want, "{seconds}");
    }
    let bad = Some(prost_types::Timestamp { seconds: 0, nanos: -1 });
    let refused = Refusal::from(
        search(&mut alice, SearchMessagesRequest { since: bad, ..words("word") }).await,
    );
    assert_eq!(refused.what(), ("FIELD_INVALID", "since"));
}

async fn pages_are_for_one_question_of_one_user(world: World) {
    let chat = world.direct("alice", "bob").await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    let mut want = Vec::new();
    for at in 0..55 {
        let text = format!("word {at}");
        send(&mut alice, &chat, &text, &text).await;
        want.insert(0, text);
    }
    let mut request = SearchMessagesRequest { page_size: 7, ..words("word") };
    let mut all = Vec::new();
    let mut first = String::new();
    loop {
        let (page, token) = search(&mut alice, request.clone()).await.unwrap();
        assert!(page.len() <= 7);
        all.extend(page.into_iter().map(|message| message.text));
        if first.is_empty() {
            first.clone_from(&token);
        }
        request.page_token = token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(all, want);
    for (size, count) in [(0, 20), (50, 50), (1_000_000_000, 50)] {
        let page = SearchMessagesRequest { page_size: size, ..words("word") };
        assert_eq!(texts(&mut alice, page).await.len(), count);
    }
    let question = SearchMessagesRequest { page_token: first.clone(), ..words("word") };
    assert_eq!(texts(&mut alice, question.clone()).await.len(), 20, "its own goes on");
    let mut bad = first.clone().into_bytes();
    bad[10] ^= 1;
    let others = [
        SearchMessagesRequest { query: "wor".to_owned(), ..question.clone() },
        SearchMessagesRequest { chat_id: chat.clone(), ..question.clone() },
        SearchMessagesRequest { sender_id: "alice".to_owned(), ..question.clone() },
        SearchMessagesRequest {
            since: Some(prost_types::Timestamp::default()),
            ..question.clone()
        },
        SearchMessagesRequest { page_token: String::from_utf8(bad).unwrap(), ..words("word") },
        SearchMessagesRequest { page_token: "x".to_owned(), ..words("word") },
    ];
    let mut refusals = vec![Refusal::from(search(&mut bob, question).await)];
    for other in others {
        refusals.push(Refusal::from(search(&mut alice, other).await));
    }
    let list =
        proto::ListMessagesRequest { chat_id: chat, page_token: first, ..Default::default() };
    refusals.push(Refusal::from(alice.list_messages(list).await));
    for refused in refusals {
        assert_eq!(refused.what(), ("PAGE_TOKEN_INVALID", ""));
    }
}

async fn hostile_questions_are_text_or_refused(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    say(&mut alice, &chat, "gt aaaa or not").await;
    for (odd, found) in [
        ("{\"$gt\":\"\"}", Some(1)),
        (".*(a+)+$", Some(0)),
        ("\" OR \"", Some(1)),
        ("NEAR(gt or)", Some(0)),
        ("gt* aaaa", Some(1)),
        ("-gt", Some(1)),
        ("words:gt", Some(0)),
        ("gt\0or", Some(1)),
        ("%", None),
        ("../..", None),
        ("\0", None),
        ("", None),
        ("👍", None),
    ] {
        match search(&mut alice, words(odd)).await {
            Ok((messages, _)) => assert_eq!(Some(messages.len()), found, "{odd:?}"),
            Err(status) => {
                let refused = Refusal::of_status(&status);
                assert_eq!((refused.what(), found), (("FIELD_INVALID", "query"), None), "{odd:?}");
            }
        }
    }
    let marks = format!("e{}", "\u{300}".repeat(5000));
    for (long, limit) in [(marks, "256"), ("x".repeat(257), "256"), ("x ".repeat(11), "10")] {
        let refused = Refusal::from(search(&mut alice, words(&long)).await);
        assert_eq!((refused.what(), refused.limit()), (("FIELD_INVALID", "query"), Some(limit)));
    }
    for odd in ["{\"$gt\":\"\"}", "a b", "\0"] {
        let request = SearchMessagesRequest { sender_id: odd.to_owned(), ..words("gt") };
        let refused = Refusal::from(search(&mut alice, request).await);
        assert_eq!(refused.what(), ("FIELD_INVALID", "sender_id"));
        let request = SearchMessagesRequest { chat_id: odd.to_owned(), ..words("gt") };
        let refused = Refusal::from(search(&mut alice, request).await);
        assert_eq!(refused.what(), ("CHAT_NOT_FOUND", ""));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_may_run_without_search() {
    let world = World::with(Backends::Sqlite, &["--search", "off"]).await.unwrap();
    let chat = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let of = say(&mut alice, &chat, "hello").await;
    edit(&mut alice, &of, "hullo").await.unwrap();
    let refused = Refusal::from(search(&mut alice, words("hullo")).await);
    assert_eq!((refused.code, refused.what()), (Code::Unimplemented, ("NOT_CONFIGURED", "")));
    assert!(!refused.retry);
}
