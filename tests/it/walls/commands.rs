//! Every field of every command with what it cannot be, on a stream that is open: an Ack says why not,
//! nothing is changed, and the stream goes on. What cannot be read at all ends it.

use adda::proto::connect_request::Command;
use adda::proto::server_frame::Frame;
use adda::proto::{self, CloseReason, ack};
use bytes::Bytes;
use prost::Message as _;

use super::Bystander;
use super::dump::Dump;
use super::fields::{CALM, ODD, Try, messages, tries, under};
use super::requests::commands;
use super::scene::Scene;
use crate::on_both_backends;
use crate::world::{RawConnect, Refusal, World, hello, token};

on_both_backends! { no_field_of_any_command_is_taken_for_what_it_is_not }

/// A command with one field as it should not be.
struct Odd {
    command: Command,
    /// Of the command, in ConnectRequest.
    number: u32,
    what: Try,
}

/// All of them.
fn odd(scene: &Scene) -> Vec<Odd> {
    let messages = messages();
    let fields = &messages[".adda.v1.ConnectRequest"].field;
    let mut all = Vec::new();
    for (name, command) in commands(scene) {
        let field = fields.iter().find(|field| field.name() == name).unwrap();
        let number = field.number().cast_unsigned();
        let odd = tries(&messages, field.type_name());
        all.extend(odd.into_iter().map(|what| Odd { command: command.clone(), number, what }));
    }
    all
}

async fn open(world: &World) -> RawConnect {
    let command = Some(Command::Hello(hello("raw")));
    let first = proto::ConnectRequest { command, ..Default::default() };
    let first = Some(Bytes::from(first.encode_to_vec()));
    RawConnect::open(world.addr(0), &token("owner"), first).await.unwrap()
}

/// Gives the command; `None`: the stream is closed for it.
async fn ask(stream: &mut RawConnect, id: &str, odd: &Odd) -> Option<ack::Result> {
    let command = Some(odd.command.clone());
    let request = proto::ConnectRequest { ack_id: id.to_owned(), command };
    // What is behind it overrides what is in it.
    let bytes = [request.encode_to_vec(), under(odd.number, &odd.what.bytes)].concat();
    stream.up.send(bytes.into()).await.unwrap();
    loop {
        let answer = stream.down.message().await.unwrap().expect("an Ack, or Close");
        match answer.frame.unwrap().frame.unwrap() {
            Frame::Ack(ack) if ack.ack_id == id => return ack.result,
            Frame::Close(close) => {
                assert_eq!(close.reason(), CloseReason::ProtocolError, "{}", odd.what.path);
                return None;
            }
            _ => {}
        }
    }
}

async fn no_field_of_any_command_is_taken_for_what_it_is_not(world: World) {
    let mut bystander = Bystander::at(&world).await;
    let scene = Scene::set(&world).await;
    let odd = odd(&scene);
    assert!(odd.len() > 100, "{}", odd.len());
    let mut stream = open(&world).await;
    let mut refused = Vec::new();
    for (at, odd) in odd.iter().enumerate() {
        let result = ask(&mut stream, &format!("a{at}"), odd).await;
        assert_eq!(result.is_none(), odd.what.unreadable, "{}", odd.what.path);
        match result {
            None => stream = open(&world).await,
            Some(ack::Result::Error(error)) => {
                let told = Refusal::of_error(&error);
                assert!(CALM.contains(&told.code) && !told.retry, "{}: {told:?}", odd.what.path);
                let repeated = ODD.iter().any(|odd| odd.len() > 3 && told.message.contains(odd));
                assert!(!repeated, "{}: {told:?}", odd.what.path);
                refused.push(odd);
            }
            Some(_) => {}
        }
    }
    // What was refused is refused again, and changes nothing.
    let before = Dump::of(&world).await;
    for (at, odd) in refused.into_iter().enumerate() {
        let again = ask(&mut stream, &format!("b{at}"), odd).await;
        assert!(matches!(again, Some(ack::Result::Error(_))), "{}: {again:?}", odd.what.path);
    }
    let changes = before.changes(&Dump::of(&world).await);
    assert!(changes.is_empty(), "{changes:#?}");
    bystander.goes_on().await;
}
