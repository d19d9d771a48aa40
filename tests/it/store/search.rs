//! Messages are found by their words.

use adda::model::{ChatId, Message, MessageId};
use adda::store::{Edit, Search};

use super::{Bench, on_every_store, seqs, user};

on_every_store!(
    all_words_and_the_beginning_of_one_must_be_there,
    the_newest_comes_first_in_every_chat_asked,
    with_no_words_nothing_is_found,
    a_sender_and_a_span_narrow_it,
    what_is_edited_is_found_by_its_new_words,
    what_is_deleted_is_not_found,
    pages_lose_and_repeat_nothing,
    words_are_values_and_nothing_else,
);

impl Bench {
    async fn says(&self, chat: ChatId, sender: &str, words: &str) -> Message {
        let client_id = self.clock.new_id().to_string();
        let mut new = self.message(chat, sender, &client_id);
        words.clone_into(&mut new.text);
        new.words = words.split(' ').map(str::to_owned).collect();
        self.append(new).await
    }

    fn search(&self, chats: &[ChatId], words: &str, prefix: Option<&str>) -> Search {
        Search {
            chats: chats.to_vec(),
            words: words.split_whitespace().map(str::to_owned).collect(),
            prefix: prefix.map(str::to_owned),
            sender: None,
            from: MessageId(uuid::Uuid::nil()),
            until: MessageId(self.clock.new_id()),
            after: None,
            limit: 100,
        }
    }

    /// All pages.
    async fn found(&self, mut search: Search) -> Vec<Message> {
        let mut all = Vec::new();
        loop {
            let page = self.node().search(search.clone()).await.unwrap();
            assert!(page.messages.len() <= search.limit as usize);
            all.extend(page.messages);
            search.after = page.next;
            if search.after.is_none() {
                return all;
            }
        }
    }

    async fn finds(&self, chats: &[ChatId], words: &str, prefix: Option<&str>) -> Vec<u32> {
        seqs(&self.found(self.search(chats, words, prefix)).await)
    }
}

async fn all_words_and_the_beginning_of_one_must_be_there(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    for words in ["hello world", "hello", "world wide", "আড্ডা হবে", "hell"] {
        bench.says(chat, "ana", words).await;
    }
    for (words, prefix, want) in [
        ("hello", None, vec![2, 1]),
        ("world hello", None, vec![1]),
        ("hello", Some("wor"), vec![1]),
        ("", Some("wor"), vec![3, 1]),
        ("", Some("hell"), vec![5, 2, 1]),
        ("hell", None, vec![5]),
        ("wide", Some("wor"), vec![3]),
        ("", Some("আড"), vec![4]),
        ("আড্ডা", Some("হবে"), vec![4]),
        ("হ", None, vec![]),
        ("hello", Some("x"), vec![]),
        ("hello wide", None, vec![]),
        ("ello", None, vec![]),
    ] {
        assert_eq!(bench.finds(&[chat], words, prefix).await, want, "{words:?} {prefix:?}");
    }
    let found = bench.found(bench.search(&[chat], "wide", None)).await;
    assert_eq!(found, bench.all(chat).await[2..3], "as it stands in the log");
}

async fn the_newest_comes_first_in_every_chat_asked(bench: &Bench) {
    let mut chats = Vec::new();
    for _ in 0..3 {
        chats.push(bench.group(&["ana"]).await);
    }
    let mut want = Vec::new();
    for at in [0, 1, 2, 1, 0] {
        want.insert(0, bench.says(chats[at], "ana", "here").await);
    }
    assert_eq!(bench.found(bench.search(&chats, "here", None)).await, want);
    assert_eq!(bench.found(bench.search(&chats, "", Some("he"))).await, want);
    want.retain(|message| message.chat != chats[1]);
    let asked = [chats[0], chats[2], chats[0], bench.chat_id()];
    assert_eq!(bench.found(bench.search(&asked, "here", None)).await, want);
    // Of more than are named in one question.
    let many: Vec<ChatId> = asked.into_iter().chain((0..300).map(|_| bench.chat_id())).collect();
    assert_eq!(bench.found(bench.search(&many, "here", None)).await, want);
    assert_eq!(bench.found(bench.search(&many, "", Some("her"))).await, want);
    assert!(bench.found(bench.search(&[], "here", None)).await.is_empty());
}

async fn with_no_words_nothing_is_found(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    bench.says(chat, "ana", "hello").await;
    bench.send(chat, "ana").await;
    assert!(bench.finds(&[chat], "", None).await.is_empty());
    let nothing = Search { limit: 0, ..bench.search(&[chat], "hello", None) };
    assert!(bench.found(nothing).await.is_empty());
}

async fn a_sender_and_a_span_narrow_it(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    let mut sent = Vec::new();
    for name in ["ana", "bob", "ana", "bob"] {
        sent.push(bench.says(chat, name, "hello").await);
    }
    let all = || bench.search(&[chat], "hello", None);
    let by_bob = Search { sender: Some(user("bob")), ..all() };
    assert_eq!(seqs(&bench.found(by_bob).await), [4, 2]);
    let span = Search { from: sent[1].id, until: sent[3].id, ..all() };
    assert_eq!(seqs(&bench.found(span.clone()).await), [3, 2]);
    let both = Search { sender: Some(user("ana")), limit: 1, ..span };
    assert_eq!(seqs(&bench.found(both).await), [3]);
    let none = Search { from: sent[3].id, until: sent[1].id, ..all() };
    assert!(bench.found(none).await.is_empty());
}

async fn what_is_edited_is_found_by_its_new_words(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let sent = bench.says(chat, "ana", "old word").await;
    let silent = bench.send(chat, "ana").await;
    for (id, words) in [(sent.id, "new word"), (silent.id, "loud")] {
        let text = words.to_owned();
        let words = words.split(' ').map(str::to_owned).collect();
        let edit = Edit { chat, id, text, mentions: Vec::new(), words };
        bench.node().edit_message(edit).await.unwrap();
    }
    assert!(bench.finds(&[chat], "old", None).await.is_empty());
    assert_eq!(bench.finds(&[chat], "new word", None).await, [1]);
    assert_eq!(bench.finds(&[chat], "loud", None).await, [2]);
    bench.node().react(chat, sent.id, &user("ana"), "👍").await.unwrap();
    assert_eq!(bench.finds(&[chat], "new word", None).await, [1]);
    let edit = Edit { chat, id: sent.id, text: "?".into(), mentions: vec![], words: vec![] };
    bench.node().edit_message(edit).await.unwrap();
    assert!(bench.finds(&[chat], "word", None).await.is_empty());
}

async fn what_is_deleted_is_not_found(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let first = bench.says(chat, "ana", "hello").await;
    bench.says(chat, "ana", "hello").await;
    bench.node().delete_message(chat, first.id).await.unwrap();
    assert_eq!(bench.finds(&[chat], "hello", None).await, [2]);
    assert_eq!(bench.finds(&[chat], "", Some("he")).await, [2]);
}

async fn pages_lose_and_repeat_nothing(bench: &Bench) {
    let chats = [bench.group(&["ana", "bob"]).await, bench.group(&["ana"]).await];
    let mut want = Vec::new();
    for at in 0..30 {
        let words = if at % 3 == 0 { "seldom often" } else { "often" };
        want.insert(0, bench.says(chats[at % 2], "ana", words).await);
    }
    for limit in [1, 7, 29, 30, 31] {
        let search = Search { limit, ..bench.search(&chats, "often", None) };
        assert_eq!(bench.found(search.clone()).await, want, "limit {limit}");
        let begins = Search { words: Vec::new(), prefix: Some("oft".into()), ..search };
        assert_eq!(bench.found(begins).await, want, "limit {limit}");
        let both = Search { limit, ..bench.search(&chats, "often", Some("seld")) };
        assert_eq!(bench.found(both).await.len(), 10, "limit {limit}");
    }
}

async fn words_are_values_and_nothing_else(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    bench.says(chat, "ana", "hello world").await;
    for odd in ["or", "not", "and", "near", "OR", "NOT", "AND", "NEAR", "gt", "words", "chat"] {
        assert!(bench.finds(&[chat], odd, None).await.is_empty(), "{odd}");
        assert!(bench.finds(&[chat], "hello", Some(odd)).await.is_empty(), "{odd}");
        assert!(bench.finds(&[chat], &format!("hello {odd}"), None).await.is_empty(), "{odd}");
    }
    let other = bench.group(&["ana"]).await;
    assert!(bench.finds(&[chat], &other.0.simple().to_string(), None).await.is_empty());
    assert!(bench.finds(&[chat], &chat.0.simple().to_string(), None).await.is_empty());
    // What no rule makes a word is no order either, and no failure.
    for odd in ["hel.*", ".*(a+)+$", "\"", "a\"OR\"x", "{\"$gt\":\"\"}", "$gt", "^x", "(", "'", "*"]
    {
        assert!(bench.finds(&[other], odd, None).await.is_empty(), "{odd}");
        assert!(bench.finds(&[other], "hello", Some(odd)).await.is_empty(), "{odd}");
        assert!(bench.finds(&[chat], odd, Some(odd)).await.len() <= 1, "{odd}");
    }
}
