//! Devices that ask for pushes, and how far each has come in each chat.
//!
//! A claim is one update of many statements, each of which marks what it gets with a name of its
//! own, and then a reading of who got what.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::{Binary, Bson, DateTime, Document, doc};
use mongodb::options::ReturnDocument;

use super::MongoStore;
use super::docs::{binary, chat_ids, date, user_ids, uuid};
use super::failure::{broken, exchange, failure, is_duplicate, round, unavailable};
use super::schema::{Db, aggregate, all};
use crate::model::{ChatId, DeviceId, MessageId, Seq, UserId};
use crate::store::{Claimed, Device, Devices, NewDevice, Result, Spot, Standing, Trace};

mod rows;

use rows::{Held, device, held, standing, trace};

/// How often a token is taken from another device that takes it back at the same time.
const TOKEN_TRIES: u32 = 8;
/// Places asked for together.
const CROSSED: usize = 200;

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
        let (db, mut standings) = (self.db()?, Vec::new());
        let wanted: HashSet<(ChatId, &UserId)> =
            of.iter().map(|(chat, user)| (*chat, user)).collect();
        for some in of.chunks(CROSSED) {
            let crossed = crossed(some.iter().map(|(chat, user)| (*chat, user)));
            for doc in all(db.standings.find(crossed)).await? {
                let standing = standing(&doc)?;
                if wanted.contains(&(standing.spot.chat, &standing.spot.user)) {
                    standings.push(standing);
                }
            }
        }
        Ok(standings)
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
        let spots: Vec<&Spot> = spots.collect();
        let free = doc! { "$max": ["$claimed", { "$add": ["$pushed_at", millis(apart)] }] };
        let shown = doc! { "$set": { "free_in": { "$subtract": [free, "$$NOW"] } } };
        let mut claims = HashMap::new();
        for some in spots.chunks(CROSSED) {
            let crossed = crossed(some.iter().map(|spot| (spot.chat, &spot.user)));
            let found = aggregate(&self.standings, vec![doc! { "$match": crossed }, shown.clone()]);
            for doc in found.await? {
                claims.extend([held(&doc)?]);
            }
        }
        Ok(claims)
    }
}

/// All of these users in all of these chats: far less dear than an arm of an `$or` for each, and
/// hardly ever more than was asked for.
fn crossed<'s>(places: impl Iterator<Item = (ChatId, &'s UserId)> + Clone) -> Document {
    let chats: HashSet<ChatId> = places.clone().map(|(chat, _)| chat).collect();
    let users: HashSet<&str> = places.map(|(_, user)| user.as_str()).collect();
    doc! {
        "chat_id": { "$in": chat_ids(&chats.into_iter().collect::<Vec<_>>()) },
        "user_id": { "$in": users.into_iter().collect::<Vec<_>>() },
    }
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
