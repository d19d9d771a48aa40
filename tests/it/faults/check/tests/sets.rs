//! Receipts, pictures and counts.

use super::*;

#[test]
fn receipts_are_kept_and_not_invented_and_only_grow() {
    let mut record = sound();
    record
        .bob()
        .then(10, Entry::Marked { chat: "c".into(), kind: Which::Delivered, runs: run(2, 2) });
    finds(&record, &[Kind::ReceiptLost]);

    let mut record = sound();
    record.ann().then(
        10,
        Entry::Heard { chat: "c".into(), user: "bob".into(), kind: Which::Read, runs: run(2, 2) },
    );
    finds(&record, &[Kind::ReceiptLost]);

    let mut record = sound();
    record.chat().members.get_mut("ann").unwrap().delivered = SeqSet::up_to(2);
    record.bob().picture.get_mut("c").unwrap().ticks.insert(2, Tick::Delivered);
    finds(&record, &[Kind::ReceiptInvented]);

    let mut record = sound();
    let none = SeqSet::default();
    let entry = Entry::Sets { chat: "c".into(), asked: s(9), delivered: none.clone(), read: none };
    record.bob().then(10, entry);
    finds(&record, &[Kind::ReceiptShrank]);

    let mut record = sound();
    let entry =
        Entry::Sets { chat: "c".into(), asked: s(9), delivered: set(1), read: SeqSet::up_to(2) };
    record.bob().then(10, entry);
    finds(&record, &[Kind::ReadUndelivered]);
}

#[test]
fn a_picture_that_differs_is_found() {
    let mut record = sound();
    record.ann().picture.get_mut("c").unwrap().messages.remove(&1);
    finds(&record, &[Kind::PictureDiffers]);
    let mut record = sound();
    record.ann().picture.get_mut("c").unwrap().ticks.insert(1, Tick::Delivered);
    finds(&record, &[Kind::PictureDiffers]);
    let mut record = sound();
    record.bob().picture.get_mut("c").unwrap().read = SeqSet::default();
    finds(&record, &[Kind::PictureDiffers]);
}

#[test]
fn an_unread_count_is_its_definition() {
    let mut record = sound();
    record.chat().members.get_mut("bob").unwrap().unread = 1;
    finds(&record, &[Kind::UnreadWrong]);
    let mut record = sound();
    record.ann().picture.get_mut("c").unwrap().unread = 0;
    finds(&record, &[Kind::UnreadWrong]);
    let told = |asked: u64, count| {
        let mut record = sound();
        let (chat, asked) = ("c".to_owned(), s(asked));
        record.bob().then(6, Entry::Unread { chat, asked, count, last_seq: 1 });
        record
    };
    finds(&told(6, 1), &[Kind::UnreadWrong]);
    // What was asked before the receipt was durable may count either way.
    finds(&told(4, 1), &[]);
    finds(&told(4, 0), &[]);
}
