//! How a user wants to be told of what they missed, on all devices.

use super::Service;
use crate::error::{Error, Result};
use crate::model::{Preferences, Preview, QuietHours, UserId};
use crate::proto;
use crate::push::rules::{MAX_QUIET_HOURS, is_time_zone};

/// Minutes of a day.
const DAY: u32 = 24 * 60;

impl Service {
    /// How a user wants to be told.
    pub async fn preferences(&self, user: &UserId) -> Result<proto::NotificationPreferences> {
        let found = self.store.preferences(std::slice::from_ref(user)).await?;
        Ok(shown(found.into_iter().next().map(|(_, preferences)| preferences).unwrap_or_default()))
    }

    /// Sets all of it: what is left out is as by default.
    pub async fn update_preferences(
        &self,
        user: &UserId,
        new: proto::NotificationPreferences,
    ) -> Result<proto::NotificationPreferences> {
        let kept = self.store.put_preferences(user, checked(new)?).await?;
        // Also where nothing has changed: the last call may have come only so far.
        self.decide_anew(user).await?;
        Ok(shown(kept))
    }
}

fn checked(new: proto::NotificationPreferences) -> Result<Preferences> {
    use proto::NotificationPreview as Given;
    let preview = match Given::try_from(new.preview) {
        Ok(Given::Unspecified | Given::Full) => Preview::Full,
        Ok(Given::Sender) => Preview::Sender,
        Ok(Given::None) => Preview::None,
        Err(_) => return Err(Error::field("preview", "FULL, SENDER or NONE")),
    };
    if new.quiet_hours.len() > MAX_QUIET_HOURS {
        return Err(Error::over_limit("quiet_hours", MAX_QUIET_HOURS, "windows"));
    }
    if !is_time_zone(&new.time_zone) {
        return Err(Error::field("time_zone", "no IANA time zone, such as Asia/Dhaka"));
    }
    let quiet_hours = new.quiet_hours.iter().enumerate().map(window).collect::<Result<_>>()?;
    Ok(Preferences {
        off: new.off,
        preview,
        silent: new.silent,
        quiet_hours,
        time_zone: new.time_zone,
        mentions_pierce: new.mentions_pierce,
        revision: 0,
    })
}

fn window((at, of): (usize, &proto::QuietHours)) -> Result<QuietHours> {
    let field = |name: &str| format!("quiet_hours[{at}].{name}");
    let minute = |name: &str, minute: u32| match u16::try_from(minute) {
        Ok(good) if minute < DAY => Ok(good),
        _ => Err(Error::field(field(name), "0 to 1439")),
    };
    let mut weekdays = Vec::new();
    for given in &of.weekdays {
        match u8::try_from(*given) {
            Ok(day @ 1..=7) => weekdays.push(day),
            _ => return Err(Error::field(field("weekdays"), "MONDAY to SUNDAY")),
        }
    }
    weekdays.sort_unstable();
    weekdays.dedup();
    let start = minute("start_minute", of.start_minute)?;
    Ok(QuietHours { weekdays, start, end: minute("end_minute", of.end_minute)? })
}

fn shown(of: Preferences) -> proto::NotificationPreferences {
    let preview = match of.preview {
        Preview::Full => proto::NotificationPreview::Full,
        Preview::Sender => proto::NotificationPreview::Sender,
        Preview::None => proto::NotificationPreview::None,
    };
    let window = |of: QuietHours| proto::QuietHours {
        weekdays: of.weekdays.into_iter().map(i32::from).collect(),
        start_minute: of.start.into(),
        end_minute: of.end.into(),
    };
    proto::NotificationPreferences {
        off: of.off,
        preview: preview.into(),
        silent: of.silent,
        quiet_hours: of.quiet_hours.into_iter().map(window).collect(),
        time_zone: of.time_zone,
        mentions_pierce: of.mentions_pierce,
        revision: of.revision,
    }
}
