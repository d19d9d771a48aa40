//! Devices that ask for pushes, and how far each has come in each chat.
//!
//! A claim is one update of many statements, each of which marks what it gets with a name of its
//! own, and then a reading of who got what.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::{Binary, Bson, DateTime, Document, doc};
use mongodb::options::ReturnDocument;

use super::MongoStore;
use super::docs::{binary, date, number, plain, time, user_ids, uuid};
use super::failure::{broken, exchange, failure, is_duplicate, round, unavailable};
use super::schema::{Db, aggregate, all};
use crate::model::{ChatId, DeviceId, MessageId, NodeId, Platform, Seq, UserId};
use crate::store::{Claimed, Device, Devices, NewDevice, Result, Spot, Standing, Trace};

/// How often a token is taken from another device that takes it back at the same time.
const TOKEN_TRIES: u32 = 8;

#[async_trait]
impl Devices for MongoStore {
    async fn register_device(&self, new: NewDevice, limit: u32) -> Result<Option<Device>> {
        let db = self.db()?;
        for _ in 0..TOKEN_TRIES {
            let others = doc! {
                "user_id": new.user.as_str(),
                "device_id": { "$ne": new.id.as_str() },
                "token": { "$ne": &new.token },
            };
            let others = db.devices.count_documents(others).limit(limit.into());
            if round(async { others.await }).await? >= u64::from(limit) {
                return Ok(None);
            }
            let taken = doc! { "token": &new.token, "$or": [
                { "user_id": { "$ne": new.user.as_str() } },
                { "device_id": { "$ne": new.id.as_str() } },
            ] };
            let delete = db.devices.delete_many(taken);
            round(async { delete.await }).await?;
            let key = doc! { "user_id": new.user.as_str(), "device_id": new.id.as_str() };
            let put = db.devices.find_one_and_update(key, registered(&new));
            let put = put.upsert(true).return_document(ReturnDocument::After);
            match exchange(put).await? {
                Ok(Some(doc)) => return device(&doc).map(Some),
                Ok(None) => return Err(broken("a device just registered is not there")),
                // Another took the token meanwhile.
                Err(error) if is_duplicate(&error) => {}
                Err(error) => return Err(failure(&error)),
            }
        }
        Err(unavailable("several devices take one token from each other"))
    }

    async fn unregister_device(&self, user: &UserId, id: &DeviceId) -> Result<()> {
        self.db()?.drop_devices(doc! { "user_id": user.as_str(), "device_id": id.as_str() }).await
    }

    async fn forget_devices(&self, user: &UserId) -> Result<()> {
        self.db()?.drop_devices(doc! { "user_id": user.as_str() }).await
    }

    async fn devices_of(&self, users: &[UserId]) -> Result<Vec<Device>> {
        let of = doc! { "user_id": { "$in": user_ids(users) } };
        all(self.db()?.devices.find(of)).await?.iter().map(device).collect()
    }

    async fn fail_device(
        &self,
        user: &UserId,
        id: &DeviceId,
        token: &str,
        why: &str,
    ) -> Result<()> {
        let of = doc! { "user_id": user.as_str(), "device_id": id.as_str(), "token": token };
        let failed = doc! {
            "$unset": { "token": "" },
            "$set": { "failure": why },
            "$currentDate": { "failed_at": true },
        };
        let update = self.db()?.devices.update_one(of, failed);
        round(async { update.await }).await?;
        Ok(())
    }

    async fn raise_acked(&self, reached: &[(Spot, Seq)]) -> Result<()> {
        let raise = reached.iter().map(|(spot, to)| {
            let raise = doc! { "$max": { "acked_to": i64::from(*to) } };
            doc! { "q": key(spot), "u": raise, "upsert": true }
        });
        self.db()?.update_all(raise.collect()).await
    }

    async fn standings(&self, of: &[(ChatId, UserId)]) -> Result<Vec<Standing>> {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let mut chats: HashMap<ChatId, Vec<UserId>> = HashMap::new();
        for (chat, user) in of {
            chats.entry(*chat).or_default().push(user.clone());
        }
        let each = chats.iter().map(|(chat, users)| {
            doc! { "chat_id": uuid(chat.0), "user_id": { "$in": user_ids(users) } }
        });
        let found = self.db()?.standings.find(doc! { "$or": each.collect::<Vec<_>>() });
        all(found).await?.iter().map(standing).collect()
    }

    async fn claim_pushes(
        &self,
        claims: &[(Spot, Seq)],
        lease: Duration,
        apart: Duration,
    ) -> Result<Vec<Claimed>> {
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let db = self.db()?;
        let names = names(claims.len());
        let claim = claims.iter().zip(&names);
        let claim = claim.map(|((spot, to), name)| {
            doc! { "q": key(spot), "u": claim_as(name, *to, lease, apart), "upsert": true }
        });
        db.update_all(claim.collect()).await?;
        let found = db.claims(claims.iter().map(|(spot, _)| spot), apart).await?;
        let outcome = |((spot, to), name): (&(Spot, Seq), &Binary)| match found.get(spot) {
            Some(now) if now.claimer.as_ref() == Some(name) => Ok(Claimed::Yes),
            Some(now) if now.done >= *to => Ok(Claimed::Done),
            Some(now) => Ok(Claimed::Later(now.free_in)),
            None => Err(broken("a claim just made is not there")),
        };
        claims.iter().zip(&names).map(outcome).collect()
    }

    async fn settle_pushes(&self, settled: &[(Spot, Option<Seq>)]) -> Result<()> {
        let settle = settled.iter().map(|(spot, to)| {
            let mut change = doc! { "$unset": { "claimed": "", "claimer": "" } };
            if let Some(to) = to {
                change.insert("$max", doc! { "pushed_to": i64::from(*to) });
                change.insert("$currentDate", doc! { "pushed_at": true });
            }
            doc! { "q": key(spot), "u": change }
        });
        self.db()?.update_all(settle.collect()).await
    }

    async fn note_digest(
        &self,
        user: &UserId,
        device: &DeviceId,
        of: &[(ChatId, Seq)],
    ) -> Result<()> {
        let pairs = of.iter();
        let pairs =
            pairs.map(|(chat, seq)| doc! { "chat_id": uuid(chat.0), "seq": i64::from(*seq) });
        let digest: Vec<Document> = pairs.collect();
        let of = doc! { "user_id": user.as_str(), "device_id": device.as_str() };
        let update = self.db()?.devices.update_one(of, doc! { "$set": { "digest": digest } });
        round(async { update.await }).await?;
        Ok(())
    }

    async fn clear_pushes(&self, spots: &[(Spot, Seq)]) -> Result<Vec<Spot>> {
        if spots.is_empty() {
            return Ok(Vec::new());
        }
        let names = names(spots.len());
        let clear = spots.iter().zip(&names).map(|((spot, to), name)| {
            let mut of = key(spot);
            of.insert("pushed_to", doc! { "$lte": i64::from(*to) });
            let left = doc! { "$gt": ["$pushed_to", { "$ifNull": ["$cleared_to", 0_i64] }] };
            of.insert("$expr", left);
            doc! { "q": of, "u": [{ "$set": { "cleared_to": "$pushed_to", "clearer": name } }] }
        });
        let db = self.db()?;
        db.update_all(clear.collect()).await?;
        let keys: Vec<Document> = spots.iter().map(|(spot, _)| key(spot)).collect();
        let mine = doc! { "$or": keys, "clearer": { "$in": names } };
        let found = all(db.standings.find(mine)).await?;
        found.iter().map(|doc| Ok(standing(doc)?.spot)).collect()
    }

    async fn note_trail(&self, traces: &[Trace]) -> Result<()> {
        if traces.is_empty() {
            return Ok(());
        }
        let ids = names(traces.len());
        let note = traces.iter().zip(ids).map(|(trace, id)| {
            let device = trace.device.as_ref().map_or("", DeviceId::as_str);
            let mut step = doc! {
                "message_id": uuid(trace.message.0),
                "user_id": literal(trace.user.as_str()),
                "device_id": literal(device),
                "step": trace.step,
                "detail": literal(&trace.detail),
                "node": literal(trace.node.as_str()),
                "at": trace.at.map_or_else(|| Bson::from("$$NOW"), |at| date(at).into()),
            };
            if let Some((at, look)) = &trace.found {
                step.extend(doc! { "found_at": date(*at), "look": literal(look) });
            }
            doc! { "q": { "_id": id }, "u": [{ "$set": step }], "upsert": true }
        });
        self.db()?.update("trail", &note.collect::<Vec<_>>()).await
    }

    async fn trail(&self, message: MessageId, user: &UserId) -> Result<Vec<Trace>> {
        let of = doc! { "message_id": uuid(message.0), "user_id": user.as_str() };
        let found = all(self.db()?.trail.find(of).sort(doc! { "at": 1, "_id": 1 })).await?;
        found.iter().map(|doc| trace(doc, message, user)).collect()
    }
}

impl Db {
    async fn drop_devices(&self, of: Document) -> Result<()> {
        let (devices, standings) =
            (self.devices.delete_many(of.clone()), self.standings.delete_many(of));
        round(async { devices.await }).await?;
        round(async { standings.await }).await?;
        Ok(())
    }

    async fn update_all(&self, statements: Vec<Document>) -> Result<()> {
        if statements.is_empty() {
            return Ok(());
        }
        self.update("standings", &statements).await
    }

    /// How claims stand.
    async fn claims(
        &self,
        spots: impl Iterator<Item = &Spot>,
        apart: Duration,
    ) -> Result<HashMap<Spot, Held>> {
        let keys: Vec<Document> = spots.map(key).collect();
        let free = doc! { "$max": ["$claimed", { "$add": ["$pushed_at", millis(apart)] }] };
        let shown = doc! { "$set": { "free_in": { "$subtract": [free, "$$NOW"] } } };
        let found = aggregate(&self.standings, vec![doc! { "$match": { "$or": keys } }, shown]);
        found.await?.iter().map(held).collect()
    }
}

/// What a claim found.
struct Held {
    /// Acknowledged or pushed up to this one.
    done: Seq,
    claimer: Option<Binary>,
    free_in: Duration,
}

/// Names that nobody else gives.
fn names(count: usize) -> Vec<Binary> {
    let call: [u8; 12] = rand::random();
    let name = |at: u32| binary(&[&call[..], &at.to_be_bytes()].concat());
    (0..u32::try_from(count).unwrap_or(u32::MAX)).map(name).collect()
}

fn key(spot: &Spot) -> Document {
    let device = spot.device.as_ref().map_or("", DeviceId::as_str);
    doc! { "chat_id": uuid(spot.chat.0), "user_id": spot.user.as_str(), "device_id": device }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4)
}

/// Text that begins with `$` is text all the same.
fn literal(text: &str) -> Document {
    doc! { "$literal": text }
}

/// Marks a spot, if it can be claimed, or was by the same statement before.
fn claim_as(name: &Binary, to: Seq, lease: Duration, apart: Duration) -> Vec<Document> {
    let long_ago = DateTime::from_millis(0);
    let since = doc! { "$add": [{ "$ifNull": ["$pushed_at", long_ago] }, millis(apart)] };
    let mine = doc! { "$or": [
        { "$eq": ["$claimer", name] },
        { "$and": [
            { "$lt": [{ "$max": ["$acked_to", "$pushed_to", 0_i64] }, i64::from(to)] },
            { "$lte": [{ "$ifNull": ["$claimed", long_ago] }, "$$NOW"] },
            { "$lte": [since, "$$NOW"] },
        ] },
    ] };
    let until = doc! { "$add": ["$$NOW", millis(lease)] };
    vec![
        doc! { "$set": { "mine": mine } },
        doc! { "$set": {
            "claimed": { "$cond": ["$mine", until, "$claimed"] },
            "claimer": { "$cond": ["$mine", name, "$claimer"] },
        } },
        doc! { "$unset": "mine" },
    ]
}

/// A device as it is to be, whatever is known of it.
fn registered(new: &NewDevice) -> Vec<Document> {
    let same = doc! { "$eq": ["$token", literal(&new.token)] };
    vec![
        doc! { "$set": {
            "registered_at": { "$cond": [same, "$registered_at", "$$NOW"] },
            "token": literal(&new.token),
            "platform": new.platform.number(),
            "locale": literal(&new.locale),
            "app_version": literal(&new.app_version),
        } },
        doc! { "$unset": ["failed_at", "failure", "digest"] },
    ]
}

fn text(doc: &Document, field: &str) -> Result<String> {
    doc.get_str(field).map(str::to_owned).map_err(|_| broken("a device cannot be read"))
}

fn device(doc: &Document) -> Result<Device> {
    let platform = doc.get_i32("platform").ok().and_then(Platform::from_number);
    let failed = doc.get_datetime("failed_at").ok();
    let why = || doc.get_str("failure").unwrap_or_default().to_owned();
    Ok(Device {
        user: UserId::new(&text(doc, "user_id")?),
        id: DeviceId::new(&text(doc, "device_id")?),
        token: doc.get_str("token").ok().map(str::to_owned),
        platform: platform.ok_or_else(|| broken("a device of no platform"))?,
        locale: text(doc, "locale")?,
        app_version: text(doc, "app_version")?,
        registered_at: doc
            .get_datetime("registered_at")
            .map(|at| time(*at))
            .map_err(|_| broken("a device without a time"))?,
        failed: failed.map(|at| (time(*at), why())),
        digest: digest(doc)?,
    })
}

fn digest(doc: &Document) -> Result<Vec<(ChatId, Seq)>> {
    let Ok(pairs) = doc.get_array("digest") else { return Ok(Vec::new()) };
    let pair = |of: &Bson| {
        let of = of.as_document().ok_or_else(|| broken("a digest cannot be read"))?;
        Ok((chat(of)?, seq(of, "seq")?))
    };
    pairs.iter().map(pair).collect()
}

fn chat(doc: &Document) -> Result<ChatId> {
    let chat = match doc.get("chat_id") {
        Some(Bson::Binary(id)) => id.to_uuid().ok(),
        _ => None,
    };
    chat.map(|chat| ChatId(plain(chat))).ok_or_else(|| broken("a place without a chat"))
}

/// A number that may be left out.
fn seq(doc: &Document, field: &str) -> Result<Seq> {
    doc.get_i64(field).map_or(Ok(0), number)
}

fn spot(doc: &Document) -> Result<Spot> {
    let device = text(doc, "device_id")?;
    Ok(Spot {
        chat: chat(doc)?,
        user: UserId::new(&text(doc, "user_id")?),
        device: (!device.is_empty()).then(|| DeviceId::new(&device)),
    })
}

fn standing(doc: &Document) -> Result<Standing> {
    Ok(Standing {
        spot: spot(doc)?,
        acked_to: seq(doc, "acked_to")?,
        pushed_to: seq(doc, "pushed_to")?,
        cleared_to: seq(doc, "cleared_to")?,
    })
}

fn held(doc: &Document) -> Result<(Spot, Held)> {
    let free_in = doc.get_i64("free_in").unwrap_or(0);
    let held = Held {
        done: seq(doc, "acked_to")?.max(seq(doc, "pushed_to")?),
        claimer: match doc.get("claimer") {
            Some(Bson::Binary(name)) => Some(name.clone()),
            _ => None,
        },
        free_in: Duration::from_millis(u64::try_from(free_in).unwrap_or(0)),
    };
    Ok((spot(doc)?, held))
}

fn trace(doc: &Document, message: MessageId, user: &UserId) -> Result<Trace> {
    let at = doc.get_datetime("at").map_err(|_| broken("a trace without a time"))?;
    let device = text(doc, "device_id")?;
    let found = doc.get_datetime("found_at").ok().zip(doc.get_str("look").ok());
    Ok(Trace {
        message,
        user: user.clone(),
        device: (!device.is_empty()).then(|| DeviceId::new(&device)),
        step: doc.get_i32("step").map_err(|_| broken("a trace cannot be read"))?,
        detail: text(doc, "detail")?,
        node: NodeId::new(doc.get_str("node").unwrap_or_default()),
        at: Some(time(*at)),
        found: found.map(|(at, look)| (time(*at), look.to_owned())),
    })
}
