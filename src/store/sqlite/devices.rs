//! Devices that ask for pushes, and how far each has come in each chat.

use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::types::{Type, Value};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::{SqliteStore, each_once, rows};
use crate::clock::Timestamp;
use crate::model::{ChatId, DeviceId, MessageId, NodeId, Platform, Seq, UserId};
use crate::store::{
    Claimed, Device, Devices, NewDevice, Result, Spot, Standing, StoreError, TRAIL_KEPT, Trace,
};

#[async_trait]
impl Devices for SqliteStore {
    async fn register_device(&self, new: NewDevice, limit: u32) -> Result<Option<Device>> {
        self.writer.ask(move |db, now| Ok(register(db, now, new, limit)?)).await
    }

    async fn unregister_device(&self, user: &UserId, device: &DeviceId) -> Result<()> {
        let (user, device) = (user.clone(), device.clone());
        self.writer
            .ask(move |db, _| {
                let of = params![user.as_str(), device.as_str()];
                db.prepare_cached("DELETE FROM devices WHERE user_id = ?1 AND id = ?2")?
                    .execute(of)?;
                db.prepare_cached("DELETE FROM standings WHERE user_id = ?1 AND device_id = ?2")?
                    .execute(of)?;
                Ok(())
            })
            .await
    }

    async fn forget_devices(&self, user: &UserId) -> Result<()> {
        let user = user.clone();
        self.writer
            .ask(move |db, _| {
                for table in ["devices", "standings"] {
                    db.execute(
                        &format!("DELETE FROM {table} WHERE user_id = ?1"),
                        [user.as_str()],
                    )?;
                }
                Ok(())
            })
            .await
    }

    async fn devices_of(&self, users: &[UserId]) -> Result<Vec<Device>> {
        let users = each_once(users);
        self.readers.ask(move |db| devices_of(db, &users)).await
    }

    async fn fail_device(
        &self,
        user: &UserId,
        device: &DeviceId,
        token: &str,
        why: &str,
    ) -> Result<()> {
        let (user, device) = (user.clone(), device.clone());
        let (token, why) = (token.to_owned(), why.to_owned());
        self.writer
            .ask(move |db, now| {
                db.prepare_cached(
                    "UPDATE devices SET token = NULL, failed_at = ?4, failure = ?5
                     WHERE user_id = ?1 AND id = ?2 AND token = ?3",
                )?
                .execute(params![
                    user.as_str(),
                    device.as_str(),
                    token,
                    now.0,
                    why
                ])?;
                Ok(())
            })
            .await
    }

    async fn raise_acked(&self, reached: &[(Spot, Seq)]) -> Result<()> {
        let reached = reached.to_vec();
        self.writer
            .ask(move |db, _| {
                let mut raise = db.prepare_cached(
                    "INSERT INTO standings (chat_id, user_id, device_id, acked_to)
                     VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET acked_to = excluded.acked_to
                     WHERE acked_to < excluded.acked_to",
                )?;
                for (spot, to) in &reached {
                    raise.execute(params![
                        spot.chat.0.as_bytes(),
                        spot.user.as_str(),
                        device_id(spot),
                        to
                    ])?;
                }
                Ok(())
            })
            .await
    }

    async fn standings(&self, of: &[(ChatId, UserId)]) -> Result<Vec<Standing>> {
        self.in_parts(each_once(of), standings).await
    }

    async fn claim_pushes(
        &self,
        claims: &[(Spot, Seq)],
        lease: Duration,
        apart: Duration,
    ) -> Result<Vec<Claimed>> {
        let claims = claims.to_vec();
        self.writer
            .ask(move |db, now| {
                let claim = |(spot, to): &(Spot, Seq)| claim(db, now, (spot, *to), lease, apart);
                Ok(claims.iter().map(claim).collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    async fn settle_pushes(&self, settled: &[(Spot, Option<Seq>)]) -> Result<()> {
        let settled = settled.to_vec();
        self.writer
            .ask(move |db, now| {
                let mut settle = db.prepare_cached(
                    "UPDATE standings SET claimed = 0, pushed_to = max(pushed_to, ?4),
                       pushed_at = CASE WHEN ?4 > 0 THEN ?5 ELSE pushed_at END
                     WHERE chat_id = ?1 AND user_id = ?2 AND device_id = ?3",
                )?;
                for (spot, to) in &settled {
                    settle.execute(params![
                        spot.chat.0.as_bytes(),
                        spot.user.as_str(),
                        device_id(spot),
                        to.unwrap_or(0),
                        now.0
                    ])?;
                }
                Ok(())
            })
            .await
    }

    async fn note_digest(
        &self,
        user: &UserId,
        device: &DeviceId,
        of: &[(ChatId, Seq)],
    ) -> Result<()> {
        let (user, device) = (user.clone(), device.clone());
        let of: Vec<(Uuid, Seq)> = of.iter().map(|(chat, seq)| (chat.0, *seq)).collect();
        let of = serde_json::to_string(&of).map_err(|error| StoreError::Broken(error.into()))?;
        self.writer
            .ask(move |db, _| {
                db.prepare_cached("UPDATE devices SET digest = ?3 WHERE user_id = ?1 AND id = ?2")?
                    .execute(params![user.as_str(), device.as_str(), of])?;
                Ok(())
            })
            .await
    }

    async fn clear_pushes(&self, spots: &[(Spot, Seq)]) -> Result<Vec<Spot>> {
        let spots = spots.to_vec();
        self.writer
            .ask(move |db, _| {
                let mut clear = db.prepare_cached(
                    "UPDATE standings SET cleared_to = pushed_to
                     WHERE chat_id = ?1 AND user_id = ?2 AND device_id = ?3
                       AND cleared_to < pushed_to AND pushed_to <= ?4",
                )?;
                let mut cleared = Vec::new();
                for (spot, to) in spots {
                    let of = (spot.chat.0.as_bytes(), spot.user.as_str(), device_id(&spot), to);
                    if clear.execute(params![of.0, of.1, of.2, of.3])? == 1 {
                        cleared.push(spot);
                    }
                }
                Ok(cleared)
            })
            .await
    }

    async fn note_trail(&self, traces: &[Trace]) -> Result<()> {
        let traces = traces.to_vec();
        self.writer.ask(move |db, now| Ok(note(db, now, &traces)?)).await
    }

    async fn trail(&self, message: MessageId, user: &UserId) -> Result<Vec<Trace>> {
        let (user, since) = (user.clone(), self.clock.now().minus(TRAIL_KEPT));
        self.readers
            .ask(move |db| {
                db.prepare_cached(
                    "SELECT at, device_id, step, detail, node, found_at, look FROM trail
                     WHERE message_id = ?1 AND user_id = ?2 AND at >= ?3 ORDER BY at, rowid",
                )?
                .query_map(params![message.0.as_bytes(), user.as_str(), since.0], |row| {
                    let found: Option<i64> = row.get(5)?;
                    let look: Option<String> = row.get(6)?;
                    Ok(Trace {
                        message,
                        user: user.clone(),
                        device: device(row, 1)?,
                        step: row.get(2)?,
                        detail: row.get(3)?,
                        node: NodeId::new(row.get_ref(4)?.as_str()?),
                        at: Some(Timestamp(row.get(0)?)),
                        found: found.map(Timestamp).zip(look),
                    })
                })?
                .collect()
            })
            .await
    }
}

const DEVICE: &str = "SELECT user_id, id, token, platform, locale, app_version, registered_at, \
     failed_at, failure, digest FROM devices";

/// As it stands in a row: '' is whichever device is in the foreground.
fn device_id(spot: &Spot) -> &str {
    spot.device.as_ref().map_or("", DeviceId::as_str)
}

fn device(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<DeviceId>> {
    let id = row.get_ref(at)?.as_str()?;
    Ok((!id.is_empty()).then(|| DeviceId::new(id)))
}

fn read_device(row: &Row<'_>) -> rusqlite::Result<Device> {
    let failed_at: Option<i64> = row.get(7)?;
    let failure: String = row.get(8)?;
    Ok(Device {
        user: rows::user_id(row, 0)?,
        id: DeviceId::new(row.get_ref(1)?.as_str()?),
        token: row.get(2)?,
        platform: Platform::from_number(row.get(3)?)
            .ok_or_else(|| rows::impossible(3, "platform"))?,
        locale: row.get(4)?,
        app_version: row.get(5)?,
        registered_at: Timestamp(row.get(6)?),
        failed: failed_at.map(|at| (Timestamp(at), failure)),
        digest: read_digest(row, 9)?,
    })
}

/// A list of pairs, as JSON.
fn read_digest(row: &Row<'_>, at: usize) -> rusqlite::Result<Vec<(ChatId, Seq)>> {
    let of: Vec<(Uuid, Seq)> = serde_json::from_str(row.get_ref(at)?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, error.into()))?;
    Ok(of.into_iter().map(|(chat, seq)| (ChatId(chat), seq)).collect())
}

fn register(
    db: &Connection,
    now: Timestamp,
    new: NewDevice,
    limit: u32,
) -> rusqlite::Result<Option<Device>> {
    let known = db
        .prepare_cached(&format!("{DEVICE} WHERE user_id = ?1 AND id = ?2"))?
        .query_row(params![new.user.as_str(), new.id.as_str()], read_device)
        .optional()?;
    let others: u32 = db
        .prepare_cached(
            "SELECT count(*) FROM devices WHERE user_id = ?1 AND id <> ?2 AND token IS NOT ?3",
        )?
        .query_row(params![new.user.as_str(), new.id.as_str(), new.token], |row| row.get(0))?;
    if others >= limit {
        return Ok(None);
    }
    db.prepare_cached("DELETE FROM devices WHERE token = ?3 AND (user_id <> ?1 OR id <> ?2)")?
        .execute(params![new.user.as_str(), new.id.as_str(), new.token])?;
    let same = known.filter(|known| known.token.as_ref() == Some(&new.token));
    let registered_at = same.map_or(now, |known| known.registered_at);
    db.prepare_cached(
        "INSERT OR REPLACE INTO devices
           (user_id, id, token, platform, locale, app_version, registered_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        new.user.as_str(),
        new.id.as_str(),
        new.token,
        new.platform.number(),
        new.locale,
        new.app_version,
        registered_at.0
    ])?;
    Ok(Some(Device {
        user: new.user,
        id: new.id,
        token: Some(new.token),
        platform: new.platform,
        locale: new.locale,
        app_version: new.app_version,
        registered_at,
        failed: None,
        digest: Vec::new(),
    }))
}

fn devices_of(db: &Connection, users: &[UserId]) -> rusqlite::Result<Vec<Device>> {
    let users: Vec<Value> = users.iter().map(|user| Value::Text(user.to_string())).collect();
    db.prepare_cached(&format!("{DEVICE} WHERE user_id IN rarray(?1)"))?
        .query_map([Rc::new(users)], read_device)?
        .collect()
}

fn standings(db: &Connection, of: &[(ChatId, UserId)]) -> rusqlite::Result<Vec<Standing>> {
    let mut select = db.prepare_cached(
        "SELECT device_id, acked_to, pushed_to, cleared_to FROM standings
         WHERE chat_id = ?1 AND user_id = ?2",
    )?;
    let mut found = Vec::new();
    for (chat, user) in of {
        let standings = select.query_map(params![chat.0.as_bytes(), user.as_str()], |row| {
            let spot = Spot { chat: *chat, user: user.clone(), device: device(row, 0)? };
            Ok(Standing {
                spot,
                acked_to: row.get(1)?,
                pushed_to: row.get(2)?,
                cleared_to: row.get(3)?,
            })
        })?;
        for standing in standings {
            found.push(standing?);
        }
    }
    Ok(found)
}

fn claim(
    db: &Connection,
    now: Timestamp,
    (spot, to): (&Spot, Seq),
    lease: Duration,
    apart: Duration,
) -> rusqlite::Result<Claimed> {
    let of = (spot.chat.0.as_bytes(), spot.user.as_str(), device_id(spot));
    let known: Option<(Seq, i64, i64)> = db
        .prepare_cached(
            "SELECT max(acked_to, pushed_to), pushed_at, claimed FROM standings
             WHERE chat_id = ?1 AND user_id = ?2 AND device_id = ?3",
        )?
        .query_row(params![of.0, of.1, of.2], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    if let Some((done, pushed_at, claimed)) = known {
        let free = Timestamp(claimed).max(Timestamp(pushed_at).plus(apart));
        if done >= to {
            return Ok(Claimed::Done);
        }
        if free > now {
            return Ok(Claimed::Later(free.since(now)));
        }
    }
    db.prepare_cached(
        "INSERT INTO standings (chat_id, user_id, device_id, claimed) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET claimed = excluded.claimed",
    )?
    .execute(params![of.0, of.1, of.2, now.plus(lease).0])?;
    Ok(Claimed::Yes)
}

fn note(db: &Connection, now: Timestamp, traces: &[Trace]) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM trail WHERE at < ?1")?.execute([now.minus(TRAIL_KEPT).0])?;
    let mut note = db.prepare_cached(
        "INSERT INTO trail (message_id, user_id, at, device_id, step, detail, node, found_at, look)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for trace in traces {
        let device = trace.device.as_ref().map_or("", DeviceId::as_str);
        note.execute(params![
            trace.message.0.as_bytes(),
            trace.user.as_str(),
            trace.at.unwrap_or(now).0,
            device,
            trace.step,
            trace.detail,
            trace.node.as_str(),
            trace.found.as_ref().map(|(at, _)| at.0),
            trace.found.as_ref().map(|(_, look)| look)
        ])?;
    }
    Ok(())
}
