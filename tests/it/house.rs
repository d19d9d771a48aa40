//! The house itself: which room knows which, and that what is promised is written down.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use adda::proto::DESCRIPTORS;
use prost::Message as _;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet};

/// Which rooms a room may know. Arrows point one way: rpc, session, chat, then store and bus;
/// `auth` and `server` stand at the door, `client` apart.
const ROOMS: [(&str, &[&str]); 22] = [
    ("clock", &[]),
    ("model", &["clock"]),
    ("proto", &[]),
    ("vital", &[]),
    // Recorded into from everywhere; knows the names of the contract alone.
    ("metrics", &["proto"]),
    ("trace", &["clock", "metrics"]),
    ("store", &["clock", "metrics", "model", "trace", "vital"]),
    // Beside the rules: they say what happened, it tells others.
    ("webhook", &["clock", "metrics", "model", "store", "vital"]),
    // The way to devices: what rings, in which words, and the push service.
    ("push", &["clock", "model"]),
    ("bus", &["clock", "metrics", "model", "vital"]),
    // Bytes, and nothing of whose they are.
    ("files", &[]),
    // The one road from what fails below to what a client sees.
    ("error", &["files", "metrics", "proto", "store"]),
    ("wire", &["clock", "error", "model", "proto", "trace"]),
    (
        "chat",
        &[
            "bus", "clock", "error", "files", "metrics", "model", "proto", "push", "store",
            "trace", "vital", "webhook", "wire",
        ],
    ),
    // Its places and its tokens are all it has of the bus and of the door.
    (
        "session",
        &[
            "auth", "bus", "chat", "clock", "error", "metrics", "model", "proto", "trace", "vital",
            "wire",
        ],
    ),
    (
        "rpc",
        &[
            "auth", "chat", "clock", "error", "files", "metrics", "model", "proto", "session",
            "trace", "vital", "wire",
        ],
    ),
    ("auth", &["clock", "config", "error", "model", "trace", "wire"]),
    // The client's options are checked as the server's are.
    ("config", &["client", "model", "push", "webhook"]),
    ("logging", &["config", "metrics"]),
    (
        "server",
        &[
            "auth", "bus", "chat", "clock", "config", "error", "files", "metrics", "model",
            "proto", "push", "rpc", "session", "store", "trace", "vital", "webhook", "wire",
        ],
    ),
    ("client", &["clock", "model", "proto"]),
    // A client of many users; it fills stores and measures what is below past any server.
    (
        "load",
        &["auth", "bus", "clock", "config", "model", "proto", "rpc", "store", "vital", "wire"],
    ),
];

/// The rooms in which each of these may be named. A client has a disk of its own.
const FOREIGN: [(&str, &[&str]); 7] = [
    ("mongodb::", &["store/mongo"]),
    ("rusqlite::", &["store/sqlite", "client"]),
    ("fred::", &["bus/redis"]),
    ("object_store::", &["files"]),
    ("axum::", &["server"]),
    ("hyper", &["server", "load"]),
    ("opentelemetry", &["trace"]),
];

/// All sources, by path from `src`.
fn sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(found.len() > 50, "these are the sources");
    found
}

/// The lines that are no comments.
fn code(source: &str) -> impl Iterator<Item = &str> {
    source.lines().map(str::trim).filter(|line| !line.starts_with("//"))
}

/// The code before the tests, which stand last in a file.
fn without_tests(source: &str) -> String {
    let code: Vec<&str> = code(source).take_while(|line| *line != "#[cfg(test)]").collect();
    code.join("\n")
}

/// The rooms that some code names: `crate::room`, also of `crate::{room::…, room}`.
fn named(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let list = match rest.strip_prefix('{') {
            Some(list) => first_level(list),
            None => vec![rest],
        };
        let word = |text: &str| -> String {
            text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        rooms.extend(list.into_iter().map(word));
    }
    rooms
}

/// What a list in braces holds, up to the brace that closes it.
fn first_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(&list[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.retain(|item| !item.trim().is_empty());
    items
}

#[test]
fn no_room_knows_one_above_it() {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.into_iter().collect();
    let mut wrong = Vec::new();
    for (path, source) in sources() {
        let room = path.split(['/', '.']).next().unwrap();
        // Tests may wire what they test.
        if ["lib", "main", "mutants", "fuzz"].contains(&room) || path.ends_with("tests.rs") {
            continue;
        }
        let knows = allowed.get(room).unwrap_or_else(|| panic!("{room} has no place in ROOMS"));
        for other in named(&without_tests(&source)) {
            // Bugs on purpose may be anywhere, and are in no build that anyone runs.
            if other != room && other != "mutants" && !knows.contains(&other.as_str()) {
                wrong.push(format!("src/{path} knows {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "upward:\n{}", wrong.join("\n"));
}

#[test]
fn the_search_for_rooms_finds_them() {
    assert_eq!(named("use crate::store::{self, Store};"), ["store"]);
    assert_eq!(
        named("use crate::{clock::{A, B}, proto, };\ncrate::rpc::x()"),
        ["clock", "proto", "rpc"]
    );
}

#[test]
fn each_backend_is_known_in_its_room_alone() {
    let mut wrong = Vec::new();
    for (path, source) in sources() {
        for (name, rooms) in FOREIGN {
            let used = code(&source).any(|line| {
                line.match_indices(name).any(|(at, _)| {
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
                        && (name.ends_with(':') || line[at..].contains("::"))
                })
            });
            if used && !rooms.iter().any(|room| path.starts_with(room)) && path != "main.rs" {
                wrong.push(format!("src/{path} names {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_know_no_requests() {
    for (path, source) in sources() {
        if path.starts_with("chat/") {
            let named =
                code(&source).any(|line| line.contains("Request") || line.contains("tonic::"));
            assert!(!named, "src/{path} knows what a call looks like");
        }
    }
}

#[test]
fn nothing_is_unwrapped_outside_tests() {
    let mut wrong = Vec::new();
    for (path, source) in sources() {
        if path.ends_with("tests.rs") {
            continue;
        }
        let source = without_tests(&source);
        for forbidden in [".unwrap()", ".unwrap_err()", "todo!(", "unimplemented!(", "dbg!("] {
            if source.contains(forbidden) {
                wrong.push(format!("src/{path}: {forbidden}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every message, field, value, service and call of the protos says what it means.
#[test]
fn every_part_of_the_contract_is_explained() {
    let set = FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let mut silent = Vec::new();
    let mut explained = 0;
    for file in set.file.iter().filter(|file| file.package().starts_with("adda.")) {
        for (path, name) in parts(file) {
            if comment(file, &path).is_empty() {
                silent.push(format!("{}: {name}", file.name()));
            } else {
                explained += 1;
            }
        }
    }
    assert!(silent.is_empty(), "without a comment:\n{}", silent.join("\n"));
    assert!(explained > 300, "these are the protos: {explained} parts");
}

fn comment<'f>(file: &'f FileDescriptorProto, path: &[i32]) -> &'f str {
    let all = file.source_code_info.as_ref().expect("the descriptors hold their comments");
    let found = all.location.iter().find(|location| location.path == path);
    found.map_or("", |location| location.leading_comments().trim())
}

/// All that must be explained, with its path as `SourceCodeInfo` has it.
fn parts(file: &FileDescriptorProto) -> Vec<(Vec<i32>, String)> {
    let mut parts = Vec::new();
    for (at, message) in (0..).zip(&file.message_type) {
        add_message(&mut parts, vec![4, at], message);
    }
    for (at, values) in (0..).zip(&file.enum_type) {
        add_enum(&mut parts, vec![5, at], values);
    }
    for (at, service) in (0..).zip(&file.service) {
        parts.push((vec![6, at], service.name().to_owned()));
        for (call, method) in (0..).zip(&service.method) {
            parts.push((vec![6, at, 2, call], method.name().to_owned()));
        }
    }
    parts
}

fn add_message(parts: &mut Vec<(Vec<i32>, String)>, path: Vec<i32>, message: &DescriptorProto) {
    if message.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry) {
        return;
    }
    let under = |kind, at| [&path[..], &[kind, at]].concat();
    for (at, field) in (0..).zip(&message.field) {
        parts.push((under(2, at), format!("{}.{}", message.name(), field.name())));
    }
    for (at, inner) in (0..).zip(&message.nested_type) {
        add_message(parts, under(3, at), inner);
    }
    for (at, inner) in (0..).zip(&message.enum_type) {
        add_enum(parts, under(4, at), inner);
    }
    for (at, oneof) in (0..).zip(&message.oneof_decl) {
        // One that is made for an `optional` field has no place of its own.
        if !oneof.name().starts_with('_') {
            parts.push((under(8, at), format!("{}.{}", message.name(), oneof.name())));
        }
    }
    parts.push((path, message.name().to_owned()));
}

fn add_enum(parts: &mut Vec<(Vec<i32>, String)>, path: Vec<i32>, values: &EnumDescriptorProto) {
    for (at, value) in (0..).zip(&values.value) {
        parts.push(([&path[..], &[2, at]].concat(), value.name().to_owned()));
    }
    parts.push((path, values.name().to_owned()));
}
