"""What a client can rely on, seen from outside: each test is a page of the contract."""

import os
import uuid

import pytest
from adda.v1 import chat_pb2, message_pb2, receipts_pb2, stream_pb2
from adda_client import Adda, AddaError
from google.rpc import code_pb2

SENT = message_pb2.MESSAGE_STATE_SENT
DELIVERED = message_pb2.MESSAGE_STATE_DELIVERED
SEEN = message_pb2.MESSAGE_STATE_SEEN


def run(first, last=None):
    return receipts_pb2.SeqRange(first=first, last=last or first)


@pytest.fixture
def user():
    """Makes users nobody has met before."""
    made = []

    def make(name, **options):
        adda = Adda(os.environ["ADDA_ADDRESS"], f"{name}-{uuid.uuid4().hex[:8]}", **options)
        made.append(adda)
        return adda

    yield make
    for adda in made:
        adda.close()


@pytest.fixture
def pair(user):
    """Two users and their chat."""
    alice, bob = user("alice"), user("bob")
    return alice, bob, alice.direct(bob.user).chat_id


def refused(reason, code, act, field=None):
    with pytest.raises(AddaError) as caught:
        act()
    error = caught.value
    assert (error.reason, error.code) == (reason, getattr(code_pb2, code))
    assert error.request_id
    if field is not None:
        assert error.field == field
    return error


def test_the_life_of_a_message(pair):
    alice, bob, chat = pair
    at_alice = alice.connect("phone").caught_up()
    at_bob = bob.connect("phone").caught_up()

    # Sent: the Ack comes before the sender's own MessageSent.
    outcome = at_alice.send(chat, "hello", "id-1")
    assert (outcome.seq, outcome.duplicate) == (1, False)
    own = at_alice.message("hello")
    assert (own.message_id, own.client_message_id) == (outcome.message_id, "id-1")
    kinds = [f.WhichOneof("frame") for f in at_alice.frames]
    sent_at = next(i for i, f in enumerate(at_alice.frames) if f.event.HasField("message_sent"))
    assert kinds.index("ack") < sent_at

    # It arrives, after the chat it is in.
    got = at_bob.message("hello")
    assert (got.seq, got.sender_id) == (1, alice.user)
    events = [f.event.WhichOneof("event") for f in at_bob.frames if f.WhichOneof("frame") == "event"]
    assert events.index("chat_updated") < events.index("message_sent")
    inbox = bob.chat(chat)
    assert (inbox.unread_count, inbox.last_seq, inbox.last_message.text) == (1, 1, "hello")
    assert alice.messages(chat)[0].state == SENT

    # Delivered: two ticks, and still unread.
    at_bob.command(delivered_ack=stream_pb2.DeliveredAck(chat_id=chat, seqs=[run(1)]))
    tick = at_alice.event("message_delivered")
    assert (tick.chat_id, tick.user_id, list(tick.seqs)) == (chat, bob.user, [run(1)])
    seen = alice.messages(chat)[0]
    assert (seen.state, list(seen.delivered_to), list(seen.read_by)) == (DELIVERED, [bob.user], [])
    assert bob.chat(chat).unread_count == 1

    # Read: blue ticks, and nothing left.
    left = at_bob.command(read_ack=stream_pb2.ReadAck(chat_id=chat, seqs=[run(1)]))
    assert (left.unread_count, left.last_seq) == (0, 1)
    tick = at_alice.event("message_read")
    assert (tick.user_id, list(tick.seqs)) == (bob.user, [run(1)])
    seen = alice.messages(chat)[0]
    assert (seen.state, list(seen.read_by)) == (SEEN, [bob.user])
    assert bob.chat(chat).unread_count == 0
    # Ticks are for the sender alone.
    assert bob.messages(chat)[0].state == message_pb2.MESSAGE_STATE_UNSPECIFIED

    for stream in (at_alice, at_bob):
        stream.leave()


def test_unread_is_exact(pair):
    alice, bob, chat = pair
    for n in range(5):
        alice.send(chat, f"{n}")
    bob.send(chat, "own ones do not count")
    assert (bob.chat(chat).unread_count, alice.chat(chat).unread_count) == (5, 1)
    third = bob.messages(chat, after_seq=0)[2]
    left = bob.call("MarkMessageRead", chat_id=chat, message_id=third.message_id).outcome
    assert (left.unread_count, left.total_unread_count, left.last_seq) == (4, 4, 6)
    ack = stream_pb2.ReadAck(chat_id=chat, seqs=[run(1, 2), run(2)])
    for _ in range(2):
        assert bob.call("AckRead", ack=ack).outcome.unread_count == 2
    assert bob.call("MarkChatRead", chat_id=chat, up_to_seq=4).outcome.unread_count == 1
    assert bob.call("MarkChatRead", chat_id=chat).outcome.total_unread_count == 0


def test_sending_twice_is_sending_once(pair):
    alice, _, chat = pair
    stream = alice.connect("phone").caught_up()
    first = stream.send(chat, "once", "same")
    again = alice.send(chat, "once", "same")
    assert (again.message_id, again.seq, again.duplicate) == (first.message_id, first.seq, True)
    assert stream.send(chat, "once", "same").duplicate
    refused("CLIENT_ID_REUSED", "ALREADY_EXISTS", lambda: alice.send(chat, "other", "same"))
    refused("CLIENT_ID_REUSED", "ALREADY_EXISTS", lambda: stream.send(chat, "other", "same"))
    assert [m.text for m in alice.messages(chat)] == ["once"]
    stream.cut()


def test_a_cut_and_a_resume(pair):
    alice, bob, chat = pair
    stream = bob.connect("phone", generation=1).caught_up()
    assert stream.ready.resume_outcome == stream_pb2.RESUME_OUTCOME_FRESH
    alice.send(chat, "before")
    stream.message("before")
    # A Checkpoint covers what came before it.
    behind = len(stream.frames)
    kept = stream.checkpoint(after=behind)
    alice.send(chat, "covered by none")
    stream.message("covered by none")
    stream.cut()
    for n in range(3):
        alice.send(chat, f"missed {n}")

    again = bob.connect("phone", generation=2, resume_token=kept.resume_token).caught_up()
    assert again.ready.resume_outcome == stream_pb2.RESUME_OUTCOME_RESUMED
    replayed = [m.text for m in again.sent()]
    assert replayed == ["covered by none", "missed 0", "missed 1", "missed 2"]
    assert again.checkpoint().resume_token
    alice.send(chat, "live")
    again.message("live")
    seqs = [m.seq for m in again.sent()]
    assert seqs == list(range(2, 7))
    order = [f.WhichOneof("frame") for f in again.frames]
    assert order[0] == "ready" and order.count("caught_up") == 1
    again.cut()


def test_a_token_of_no_use_is_a_gap_and_is_made_good_for(pair):
    alice, bob, chat = pair
    alice.send(chat, "one")
    as_of = bob.connect("phone").caught_up().checkpoint().as_of
    stream = bob.connect("phone", resume_token=b"nonsense").caught_up()
    assert stream.ready.resume_outcome == stream_pb2.RESUME_OUTCOME_GAP
    assert not stream.sent()
    assert bob.chat(chat).last_seq == 1
    assert [m.text for m in bob.messages(chat, after_seq=0)] == ["one"]
    assert not bob.messages(chat, changed_since=as_of)
    stream.cut()


def test_of_two_streams_the_higher_generation_stays(pair):
    alice, _, _ = pair
    newer = alice.connect("phone", generation=5).caught_up()
    late = alice.connect("phone", generation=4)
    assert late.frame("close").reason == stream_pb2.CLOSE_REASON_SUPERSEDED
    assert [f.WhichOneof("frame") for f in late.frames] == ["close"]
    alice.connect("phone", generation=6).caught_up()
    assert newer.frame("close").reason == stream_pb2.CLOSE_REASON_SUPERSEDED
    other_tab = alice.connect("phone", generation=1, instance_id="tab").caught_up()
    assert not other_tab.ended


def test_a_subscribe_and_its_calls(pair):
    alice, bob, chat = pair
    stream = alice.subscribe("browser", instance_id="tab-1").caught_up()
    session = stream.ready.session_id
    assert stream.ready.user_id == alice.user
    beat = alice.call("Heartbeat", session_id=session, background=False)
    assert beat.server_time.seconds and beat.token_expires_at.seconds
    bob.send(chat, "seen by a browser")
    got = stream.message("seen by a browser")
    alice.call("AckDelivered", ack=stream_pb2.DeliveredAck(chat_id=chat, seqs=[run(got.seq)]))

    # Typing and presence show where the chat is on screen.
    alice.call("JoinChat", chat_id=chat, session_id=session)
    at_bob = bob.connect("phone").caught_up()
    stream.event("user_online", lambda online: online.user_id == bob.user)
    bob.call("SetTyping", chat_id=chat, typing=True, session_id=at_bob.ready.session_id)
    typing = stream.event("user_typing", lambda typing: typing.typing)
    assert (typing.chat_id, typing.user_id) == (chat, bob.user)
    at_bob.give(typing_stop=stream_pb2.TypingStop(chat_id=chat))
    stream.event("user_typing", lambda typing: not typing.typing)
    alice.call("LeaveChat", chat_id=chat, session_id=session)

    def stranger():
        bob.call("Heartbeat", session_id=session)

    refused("SESSION_NOT_FOUND", "FAILED_PRECONDITION", stranger)
    at_bob.leave()
    stream.cut()


def test_a_group(user):
    alice, bob, carol = user("alice"), user("bob"), user("carol")
    make = dict(
        kind=chat_pb2.CHAT_KIND_GROUP,
        member_ids=[bob.user, carol.user],
        title="Tea",
        client_chat_id="tea",
    )
    at_bob = bob.connect("phone").caught_up()
    made = alice.call("CreateChat", **make)
    again = alice.call("CreateChat", **make)
    assert (made.created, again.created) == (True, False)
    assert made.chat.chat_id == again.chat.chat_id and made.chat.member_count == 3
    chat = made.chat.chat_id
    at_bob.event("chat_updated", lambda updated: updated.chat.chat_id == chat)
    other = {**make, "title": "Coffee"}
    refused("CLIENT_ID_REUSED", "ALREADY_EXISTS", lambda: alice.call("CreateChat", **other))
    assert alice.send(chat, "who comes?").seq == 2
    at_bob.message("who comes?")
    note = alice.messages(chat, after_seq=0)[0]
    assert note.type == message_pb2.MESSAGE_TYPE_SYSTEM
    assert note.system_note.kind == message_pb2.SYSTEM_NOTE_KIND_GROUP_CREATED
    # Notes about the chat do not count.
    assert bob.chat(chat).unread_count == 1
    both = [bob.user, carol.user]
    for member, state in ((bob, SENT), (carol, DELIVERED)):
        ack = stream_pb2.DeliveredAck(chat_id=chat, seqs=[run(1, 2)])
        member.call("AckDelivered", ack=ack, device_id="phone")
        assert alice.messages(chat)[0].state == state
    assert sorted(alice.messages(chat)[0].delivered_to) == sorted(both)
    at_bob.cut()


def test_pages_neither_skip_nor_repeat(pair):
    alice, bob, chat = pair
    for n in range(7):
        alice.send(chat, f"{n}")
    forth = [m.seq for m in bob.messages(chat, page_size=3, after_seq=0)]
    back = [m.seq for m in bob.messages(chat, page_size=3)]
    assert forth == list(range(1, 8)) and back == forth[::-1]
    assert [m.seq for m in bob.messages(chat, before_seq=3)] == [2, 1]


def test_who_is_not_let_in(user):
    alice = user("alice")
    for token, reason in (("", "TOKEN_MISSING"), ("a.b.c", "TOKEN_INVALID")):
        stranger = user("alice", token=token)
        refused(reason, "UNAUTHENTICATED", lambda: stranger.call("ListChats"))
        stream = stranger.connect("phone")
        with pytest.raises(AssertionError, match=reason):
            stream.ready
    silent = alice.connect("")
    silent.give("x", heartbeat=stream_pb2.Heartbeat())
    with pytest.raises(AssertionError, match="HELLO_EXPECTED|ended"):
        silent.ready


def test_every_refusal_has_its_reason(pair, user):
    alice, bob, chat = pair
    eve = user("eve")
    nowhere = str(uuid.uuid4())
    invalid = lambda act, field: refused("FIELD_INVALID", "INVALID_ARGUMENT", act, field)

    # A stranger learns nothing: no chat and another's chat look alike.
    for of in (chat, nowhere):
        error = refused("CHAT_NOT_FOUND", "NOT_FOUND", lambda: eve.call("GetChat", chat_id=of))
        assert error.message
        refused("CHAT_NOT_FOUND", "NOT_FOUND", lambda: eve.send(of, "hi"))
        refused("CHAT_NOT_FOUND", "NOT_FOUND", lambda: eve.messages(of))
        refused("CHAT_NOT_FOUND", "NOT_FOUND", lambda: eve.call("SetTyping", chat_id=of, typing=True))

    invalid(lambda: alice.send(chat, "   "), "message.text")
    limit = invalid(lambda: alice.send(chat, "x" * 8193), "message.text").metadata["limit"]
    assert limit == "8192"
    invalid(lambda: alice.send(chat, "hi", "x" * 65), "message.client_message_id")
    invalid(lambda: alice.direct(alice.user), "member_ids")
    invalid(lambda: alice.direct("not a user"), "member_ids[0]")
    invalid(lambda: alice.call("CreateChat", member_ids=[bob.user]), "kind")

    def mark():
        alice.call("MarkMessageRead", chat_id=chat, message_id=nowhere)

    refused("MESSAGE_NOT_FOUND", "NOT_FOUND", mark)

    def page():
        alice.call("ListChats", page_token="nonsense")

    refused("PAGE_TOKEN_INVALID", "INVALID_ARGUMENT", page)

    def beyond():
        alice.call("AckRead", ack=stream_pb2.ReadAck(chat_id=chat, seqs=[run(1, 99)]))

    refused("FIELD_INVALID", "INVALID_ARGUMENT", beyond)

    # The same rules on a stream, with the path of a stream; it goes on.
    stream = alice.connect("phone").caught_up()
    invalid(lambda: stream.send(chat, "   "), "message_send.text")
    refused("CHAT_NOT_FOUND", "NOT_FOUND", lambda: stream.send(nowhere, "hi"))
    refused("UNKNOWN_COMMAND", "UNIMPLEMENTED", lambda: stream.command())
    refresh = stream.command(refresh_token=stream_pb2.RefreshToken(token=alice.token))
    assert refresh.token_expires_at.seconds

    # But a token of another user ends it.
    other = stream_pb2.RefreshToken(token=bob.token)
    refused("TOKEN_OF_ANOTHER_USER", "PERMISSION_DENIED", lambda: stream.command(refresh_token=other))
    assert stream.frame("close").reason == stream_pb2.CLOSE_REASON_PROTOCOL_ERROR
