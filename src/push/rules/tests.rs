use jiff::ToSpan as _;
use jiff::civil::DateTime;
use proptest::prelude::*;

use super::*;

const ZONES: [&str; 10] = [
    "",
    "Asia/Dhaka",
    "Asia/Kathmandu",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    // Half an hour of summer time.
    "Australia/Lord_Howe",
    // Left out the 30th of December 2011.
    "Pacific/Apia",
    // Sets its clocks four times in some years.
    "Africa/Casablanca",
    "Pacific/Chatham",
];

fn hours(weekdays: &[u8], start: u16, end: u16) -> QuietHours {
    QuietHours { weekdays: weekdays.to_vec(), start, end }
}

fn preferences(zone: &str, quiet_hours: Vec<QuietHours>) -> Preferences {
    Preferences { quiet_hours, time_zone: zone.to_owned(), ..Preferences::default() }
}

fn at(zone: &str, wall: &str) -> Timestamp {
    let wall: DateTime = wall.parse().unwrap();
    Timestamp(wall.in_tz(zone).unwrap().timestamp().as_millisecond())
}

/// The decision, for a message of which there is nothing more to say.
fn plain(preferences: &Preferences, now: Timestamp) -> Verdict {
    decide(preferences, Facts::default(), now)
}

fn held(until: Timestamp) -> Verdict {
    Verdict::Hold { until, rule: Rule::QuietHours }
}

const RING: Verdict = Verdict::Ring { sound: true, preview: Preview::Full };

/// Whether the clock on the wall shows a quiet minute: the contract, word by word.
fn is_quiet(preferences: &Preferences, now: Timestamp) -> bool {
    let name = if preferences.time_zone.is_empty() { "UTC" } else { &preferences.time_zone };
    let wall = jiff::Timestamp::from_millisecond(now.0).unwrap().in_tz(name).unwrap();
    let minute = u16::try_from(wall.hour()).unwrap() * 60 + u16::try_from(wall.minute()).unwrap();
    let today = u8::try_from(wall.weekday().to_monday_one_offset()).unwrap();
    let yesterday = if today == 1 { 7 } else { today - 1 };
    preferences.quiet_hours.iter().any(|of| {
        let begins = |day: u8| of.weekdays.is_empty() || of.weekdays.contains(&day);
        if of.end > of.start {
            begins(today) && (of.start..of.end).contains(&minute)
        } else {
            (begins(today) && minute >= of.start) || (begins(yesterday) && minute < of.end)
        }
    })
}

/// Minute by minute, up to two weeks.
fn by_minutes(preferences: &Preferences, now: Timestamp) -> Verdict {
    if !is_quiet(preferences, now) {
        return RING;
    }
    let minute = now.0.div_euclid(60_000);
    let later = (minute + 1..minute + 1 + 2 * i64::from(WEEK)).map(|minute| minute * 60_000);
    match later.map(Timestamp).find(|at| !is_quiet(preferences, *at)) {
        Some(until) => held(until),
        None => Verdict::Never { rule: Rule::QuietHours },
    }
}

prop_compose! {
    fn a_window()(
        weekdays in prop::collection::vec(1_u8..=7, 0..4),
        start in 0_u16..1440,
        end in 0_u16..1440,
    ) -> QuietHours {
        QuietHours { weekdays, start, end }
    }
}

prop_compose! {
    /// Some night hours, when clocks are set.
    fn a_night()(start in 0_u16..240, long in 1_u16..240) -> QuietHours {
        QuietHours { weekdays: Vec::new(), start, end: start + long }
    }
}

/// A time within two days of one at which the clocks of the zone were set.
fn near_a_change(zone: &str, year: i64, minutes: i64) -> Timestamp {
    let name = if zone.is_empty() { "UTC" } else { zone };
    let from = jiff::Timestamp::from_second((year - 1970) * 31_556_952).unwrap();
    let zone = TimeZone::get(name).unwrap();
    let change = zone.following(from).next();
    let change = change.map_or(from, |change| change.timestamp());
    Timestamp((change + minutes.minutes()).as_millisecond())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, fork: false, timeout: 0, ..ProptestConfig::default() })]

    #[test]
    fn quiet_hours_are_what_the_clock_on_the_wall_shows(
        zone in prop::sample::select(&ZONES[..]),
        windows in prop::collection::vec(prop_oneof![a_window(), a_night()], 1..5),
        year in 1980_i64..2035,
        minutes in -2880_i64..2880,
        millis in 0_i64..60_000,
    ) {
        let preferences = preferences(zone, windows);
        let now = Timestamp(near_a_change(zone, year, minutes).0 + millis);
        prop_assert_eq!(plain(&preferences, now), by_minutes(&preferences, now));
    }
}

#[test]
fn what_is_held_is_held_to_the_end_of_the_whole_stretch() {
    let zone = "Asia/Dhaka";
    let windows = vec![hours(&[], 22 * 60, 60), hours(&[], 60, 6 * 60), hours(&[6], 5 * 60, 600)];
    let preferences = preferences(zone, windows);
    let friday = at(zone, "2026-11-27T23:15:30");
    assert_eq!(plain(&preferences, friday), held(at(zone, "2026-11-28T10:00:00")));
    let thursday = at(zone, "2026-11-26T23:15:30");
    assert_eq!(plain(&preferences, thursday), held(at(zone, "2026-11-27T06:00:00")));
    assert_eq!(plain(&preferences, at(zone, "2026-11-27T06:00:00")), RING);
    assert_eq!(plain(&preferences, at(zone, "2026-11-27T21:59:59")), RING);
}

#[test]
fn a_night_in_which_clocks_are_set_ends_by_the_clock_on_the_wall() {
    let zone = "Europe/Berlin";
    let preferences = preferences(zone, vec![hours(&[], 22 * 60, 7 * 60)]);
    for (day, next, long) in [("2026-03-28", "2026-03-29", 8), ("2026-10-24", "2026-10-25", 10)] {
        let (start, end) = (at(zone, &format!("{day}T22:00")), at(zone, &format!("{next}T07:00")));
        assert_eq!(plain(&preferences, start), held(end));
        assert_eq!(end.since(start).as_secs(), long * 3600);
    }
}

#[test]
fn a_week_without_a_free_minute_has_no_end() {
    let preferences = preferences("Asia/Dhaka", vec![hours(&[], 0, 0)]);
    assert_eq!(plain(&preferences, Timestamp(1)), Verdict::Never { rule: Rule::QuietHours });
}

#[test]
fn mentions_pierce_quiet_hours_if_wished_and_answers_do_not() {
    let mut preferences = preferences("", vec![hours(&[], 0, 60)]);
    let mention = Facts { mentions_me: true, ..Facts::default() };
    let answer = Facts { answers_me: true, ..Facts::default() };
    let one = Timestamp(3_600_000);
    assert_eq!(decide(&preferences, mention, Timestamp(0)), held(one));
    preferences.mentions_pierce = true;
    assert_eq!(decide(&preferences, mention, Timestamp(0)), RING);
    assert_eq!(decide(&preferences, answer, Timestamp(0)), held(one));
}

#[test]
fn a_chat_lets_through_what_its_member_wants() {
    let never = |rule| Verdict::Never { rule };
    let plain = Facts::default();
    let mention = Facts { mentions_me: true, ..plain };
    let answer = Facts { answers_me: true, ..plain };
    let told = |facts: Facts, level| {
        decide(&Preferences::default(), Facts { level, ..facts }, Timestamp(0))
    };
    assert_eq!(told(plain, Level::All), RING);
    assert_eq!(told(plain, Level::Mentions), never(Rule::Level));
    assert_eq!(told(mention, Level::Mentions), RING);
    assert_eq!(told(answer, Level::Mentions), RING);
    assert_eq!(told(mention, Level::None), never(Rule::Level));
    let muted = Facts { muted: true, ..mention };
    assert_eq!(told(muted, Level::All), never(Rule::Muted));
    assert_eq!(told(Facts { blocked: true, ..muted }, Level::All), never(Rule::Blocked));
}

#[test]
fn what_is_set_for_a_time_is_over_then() {
    let then = Timestamp(1_000);
    let settings = ChatSettings {
        muted_until: Some(then),
        level: Level::None,
        level_until: Some(then),
        ..ChatSettings::default()
    };
    let facts = Facts::default().in_chat(&settings, Timestamp(999));
    assert_eq!((facts.muted, facts.level), (true, Level::None));
    let facts = Facts::default().in_chat(&settings, then);
    assert_eq!((facts.muted, facts.level), (false, Level::All));
    let for_good = ChatSettings { level: Level::None, ..ChatSettings::default() };
    assert_eq!(Facts::default().in_chat(&for_good, then).level, Level::None);
}

#[test]
fn off_is_off_and_silent_is_silent() {
    let off = Preferences { off: true, ..Preferences::default() };
    assert_eq!(plain(&off, Timestamp(0)), Verdict::Never { rule: Rule::Off });
    let silent = Preferences { silent: true, preview: Preview::Sender, ..Preferences::default() };
    let ring = Verdict::Ring { sound: false, preview: Preview::Sender };
    assert_eq!(plain(&silent, Timestamp(0)), ring);
}

#[test]
fn zones_have_iana_names() {
    for name in ZONES.into_iter().chain(["UTC", "Asia/Kolkata"]) {
        assert!(is_time_zone(name), "{name}");
    }
    for name in ["Asia/Dacca2", "+06:00", "../etc/passwd", "Asia/Dhaka\0", "{\"$gt\":\"\"}"] {
        assert!(!is_time_zone(name), "{name}");
    }
}
