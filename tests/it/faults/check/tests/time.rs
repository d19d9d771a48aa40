//! What has to come in time: presence, messages after healing, answers.

use super::*;

/// bob's stream ends, or goes silent, at 20 s, and ann is told at some time.
fn gone(harm: Option<Harm>, ends: bool, told: Option<u64>) -> Record {
    let mut record = sound();
    record.harm.extend(harm.map(|harm| (s(20), harm)));
    record.bob().then(if ends { 20 } else { 24 }, ended(1));
    if let Some(told) = told {
        record.ann().then(told, shown("bob", false));
    }
    record
}

#[test]
fn who_is_gone_is_not_shown_online_for_long() {
    finds(&gone(None, true, Some(29)), &[]);
    finds(&gone(None, true, Some(32)), &[Kind::StillOnline]);
    finds(&gone(None, true, None), &[Kind::StillOnline]);
    let silent = Harm::Silent(Way { net: 1, node: 0 });
    let by_another_way = |mut record: Record| {
        for (_, entry) in &mut record.bob().entries {
            if let Entry::Opening { way, .. } = entry {
                *way = Way { net: 1, node: 0 };
            }
        }
        record
    };
    finds(&by_another_way(gone(Some(silent), false, Some(35))), &[]);
    finds(&by_another_way(gone(Some(silent), false, Some(38))), &[Kind::StillOnline]);
    let died = |told| {
        let mut record = gone(Some(Harm::NodeGone { node: 1 }), true, told);
        for (_, entry) in &mut record.bob().entries {
            if let Entry::Opening { way, .. } = entry {
                way.node = 1;
            }
        }
        record
    };
    finds(&died(Some(34)), &[]);
    finds(&died(Some(37)), &[Kind::StillOnline]);
    // That bob tries in vain to come back changes nothing.
    let mut tries = died(Some(50));
    for (stream, at) in [(2, 26), (3, 32), (4, 44)] {
        let way = Way { net: 0, node: 1 };
        tries.bob().then(at, Entry::Opening { stream, way });
        tries.bob().then(at + 1, ended(stream));
    }
    finds(&tries, &[Kind::StillOnline]);
}

#[test]
fn nobody_is_blamed_for_presence_while_nodes_cannot_tell_it() {
    let mut record = gone(Some(Harm::Disturbed), true, Some(75));
    record.harm.push((s(50), Harm::Healed { half_open: false }));
    finds(&record, &[]);
    let mut record = gone(Some(Harm::Disturbed), true, Some(85));
    record.harm.push((s(50), Harm::Healed { half_open: false }));
    finds(&record, &[Kind::StillOnline]);
}

#[test]
fn who_is_there_is_shown_online() {
    let mut record = sound();
    record.ann().without(|entry| matches!(entry, Entry::Shown { .. }));
    finds(&record, &[Kind::NotOnline]);
    let mut record = sound();
    record.ann().then(40, shown("bob", false));
    finds(&record, &[Kind::NotOnline]);
}

#[test]
fn what_was_acknowledged_is_everywhere_soon_after_all_is_healed() {
    let healed = |at: u64, half_open, seen: u64| {
        let mut record = sound();
        record.harm.push((s(8), Harm::Begins));
        record.harm.push((s(at), Harm::Healed { half_open }));
        for (at, entry) in &mut record.ann().entries {
            if matches!(entry, Entry::Saw { message, .. } if message.seq == 2) {
                *at = s(seen);
            }
        }
        record.ann().entries.sort_by_key(|(at, _)| *at);
        record
    };
    finds(&healed(20, false, 45), &[]);
    finds(&healed(20, false, 55), &[Kind::NotReached]);
    finds(&healed(20, true, 55), &[]);
    finds(&healed(20, true, 65), &[Kind::NotReached]);
}

#[test]
fn who_waits_out_a_pause_has_its_time_from_there() {
    let back = |seen: u64| {
        let mut record = sound();
        record.harm = vec![(s(8), Harm::Begins), (s(10), Harm::Healed { half_open: false })];
        record.ann().without(|e| matches!(e, Entry::Saw { message, .. } if message.seq == 2));
        record.ann().then(9, ended(1));
        record.ann().then(40, Entry::Opening { stream: 2, way: WAY });
        record.ann().then(seen, saw(&message(2, "bob", "b1")));
        record
    };
    // Presence is another matter: here ann's stream is never caught up again, bob's knows.
    let mut late = back(75);
    late.bob().then(18, shown("ann", false));
    finds(&late, &[Kind::NotReached]);
    let mut good = back(65);
    good.bob().then(18, shown("ann", false));
    finds(&good, &[]);
}

#[test]
fn what_was_written_is_acknowledged_at_the_end() {
    let mut record = sound();
    record.ann().then(10, wrote("a2"));
    record.harm.push((s(15), Harm::Healed { half_open: false }));
    finds(&record, &[Kind::NotReached]);
}

#[test]
fn a_command_has_an_answer_or_a_closed_stream() {
    let mut record = sound();
    record.ann().then(10, given("c9", false));
    finds(&record, &[Kind::Unanswered]);
    record.ann().then(29, answered("c9"));
    finds(&record, &[]);
    let mut record = sound();
    record.ann().then(90, given("c9", false));
    finds(&record, &[]);
}

#[test]
fn a_refusal_and_other_wrongs_are_found() {
    let mut record = sound();
    record.ann().then(10, wrote("a2"));
    record.ann().then(11, Entry::Refused { chat: "c".into(), id: "a2".into(), why: "no".into() });
    finds(&record, &[Kind::Refused]);
    let mut record = sound();
    record.ann().then(10, Entry::Wrong("a second Ready".into()));
    finds(&record, &[Kind::Contract]);
}
