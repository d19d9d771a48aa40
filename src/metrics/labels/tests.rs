use super::*;
use crate::proto::ErrorReason;

#[test]
fn every_call_of_the_contract_has_a_place() {
    let mut found = 0;
    for proto in [
        include_str!("../../../proto/adda/v1/admin_service.proto"),
        include_str!("../../../proto/adda/v1/attachment_service.proto"),
        include_str!("../../../proto/adda/v1/chat_service.proto"),
        include_str!("../../../proto/adda/v1/notification_service.proto"),
        include_str!("../../../proto/adda/v1/user_service.proto"),
    ] {
        let service = proto.split_once("\nservice ").unwrap().1.split_once(' ').unwrap().0;
        let calls = proto.lines().filter_map(|line| line.trim().strip_prefix("rpc "));
        for call in calls.filter_map(|call| call.split('(').next()) {
            let method = Method::of_path(&format!("/adda.v1.{service}/{call}"));
            assert_eq!(method.name(), call);
            found += 1;
        }
    }
    assert_eq!(found, Method::COUNT - 1);
    assert_eq!(Method::of_path("/adda.v1.ChatService/alice"), Method::Unknown);
}

#[test]
fn a_pair_has_a_place_of_its_own() {
    let pair = (Command::ReadAck, Outcome::failed(ErrorReason::ChatNotFound));
    let names = <(Command, Outcome)>::values(pair.index());
    assert_eq!(names, ["read_ack", "CHAT_NOT_FOUND"]);
}
