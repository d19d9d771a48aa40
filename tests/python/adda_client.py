"""A small client of adda, written from the protos and the README alone.

`Adda` makes the unary calls of one user, `Stream` is one Connect or Subscribe. Every error is an
`AddaError`, whichever way it came: as a Status with its details, or as an Error on a stream.
"""

import dataclasses
import json
import queue
import threading
import time
import urllib.request
import uuid

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from adda.v1 import chat_service_pb2 as calls
from adda.v1 import chat_service_pb2_grpc as services
from adda.v1 import error_pb2 as errors
from adda.v1 import stream_pb2 as streams

# Far more than anything here takes: what has not come by then will not come.
PATIENCE = 30.0


@dataclasses.dataclass
class AddaError(Exception):
    """Why a call or a command failed. Switch on `reason`."""

    code: int
    reason: str
    message: str
    field: str = ""
    retry_after: float | None = None
    metadata: dict = dataclasses.field(default_factory=dict)
    request_id: str = ""

    def __str__(self):
        return f"{self.reason}: {self.message}"

    @classmethod
    def of_call(cls, call: grpc.RpcError) -> "AddaError":
        """From the details of a Status; one without them came from something in between."""
        status = rpc_status.from_call(call)
        if status is None:
            return cls(call.code().value[0], "", call.details())
        error = cls(status.code, "", status.message)
        for detail in status.details:
            error._take(detail)
        return error

    def _take(self, detail: Any):
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        retry, request = error_details_pb2.RetryInfo(), error_details_pb2.RequestInfo()
        if detail.Unpack(info):
            assert info.domain == "adda", info
            self.reason, self.metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            self.field = bad.field_violations[0].field
        elif detail.Unpack(retry):
            self.retry_after = retry.retry_delay.ToTimedelta().total_seconds()
        elif detail.Unpack(request):
            self.request_id = request.request_id

    @classmethod
    def of_stream(cls, error: errors.Error) -> "AddaError":
        """From the Ack of a command."""
        reason = errors.ErrorReason.Name(error.reason).removeprefix("ERROR_REASON_")
        after = error.retry_after.ToTimedelta().total_seconds() if error.HasField("retry_after") else None
        return cls(
            error.code, reason, error.message, error.field, after, dict(error.metadata), error.request_id
        )


def dev_token(address: str, user: str, name: str = "") -> str:
    """Signs in by name; a development server takes anyone at their word."""
    request = urllib.request.Request(
        f"http://{address}/dev/token",
        data=json.dumps({"user": user, "name": name}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)["token"]


class Adda:
    """One user. `adda.call("GetChat", chat_id=…)` makes any unary call."""

    def __init__(self, address: str, user: str, token: str | None = None):
        self.address, self.user = address, user
        self.token = dev_token(address, user, user.title()) if token is None else token
        self.channel = grpc.insecure_channel(address)
        self.service = services.ChatServiceStub(self.channel)

    @property
    def metadata(self):
        return [("authorization", f"Bearer {self.token}")] if self.token else []

    def call(self, method: str, **fields):
        request = getattr(calls, f"{method}Request")(**fields)
        try:
            return getattr(self.service, method)(request, metadata=self.metadata, timeout=PATIENCE)
        except grpc.RpcError as error:
            raise AddaError.of_call(error) from None

    def direct(self, other: str):
        """The direct chat with another user, found or made."""
        kind = calls.adda_dot_v1_dot_chat__pb2.CHAT_KIND_DIRECT
        return self.call("CreateChat", kind=kind, member_ids=[other]).chat

    def send(self, chat_id: str, text: str, client_message_id: str | None = None):
        message = streams.MessageSend(
            chat_id=chat_id, text=text, client_message_id=client_message_id or str(uuid.uuid4())
        )
        return self.call("SendMessage", message=message).outcome

    def messages(self, chat_id: str, **anchor):
        """All messages that way, page by page."""
        got, token = [], ""
        while True:
            page = self.call("ListMessages", chat_id=chat_id, page_token=token, **anchor)
            got.extend(page.messages)
            token = page.next_page_token
            if not token:
                return got

    def chat(self, chat_id: str):
        """This chat as the inbox shows it; None: it does not."""
        page = self.call("ListChats", page_size=100)
        return next((chat for chat in page.chats if chat.chat_id == chat_id), None)

    def connect(self, device: str, **hello) -> "Stream":
        return Stream(self, device, hello, subscribe=False)

    def subscribe(self, device: str, **hello) -> "Stream":
        return Stream(self, device, hello, subscribe=True)

    def close(self):
        self.channel.close()


class Stream:
    """One stream. A thread keeps every frame in `frames`; what has come is waited for."""

    def __init__(self, adda: Adda, device: str, hello: dict, subscribe: bool):
        self.adda = adda
        self.frames: list[streams.ServerFrame] = []
        self.ended = False
        self.error: AddaError | None = None
        self._more = threading.Condition()
        self._up: queue.SimpleQueue = queue.SimpleQueue()
        hello = streams.Hello(device_id=device, client="adda-python/1", **hello)
        if subscribe:
            request = streams.SubscribeRequest(hello=hello)
            self._call = adda.service.Subscribe(request, metadata=adda.metadata)
        else:
            if device:
                self._up.put(streams.ConnectRequest(hello=hello))
            self._call = adda.service.Connect(iter(self._up.get, None), metadata=adda.metadata)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        try:
            for response in self._call:
                with self._more:
                    self.frames.append(response.frame)
                    self._more.notify_all()
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.CANCELLED:
                self.error = AddaError.of_call(error)
        with self._more:
            self.ended = True
            self._more.notify_all()

    def wait(self, what: str, holds):
        """Waits until `holds(frames)` answers something, and answers that."""
        deadline = time.monotonic() + PATIENCE
        with self._more:
            while True:
                found = holds(self.frames)
                if found is not None and found is not False:
                    return found
                assert not self.ended, f"the stream ended before {what}: {self.error} {self.frames}"
                left = deadline - time.monotonic()
                assert left > 0, f"never came: {what}; came: {self.frames}"
                self._more.wait(left)

    def frame(self, kind: str, matches=lambda _: True):
        """The first frame of this kind that matches."""
        of_kind = lambda frames: (getattr(f, kind) for f in frames if f.WhichOneof("frame") == kind)
        return self.wait(kind, lambda frames: next(filter(matches, of_kind(frames)), None))

    def event(self, kind: str, matches=lambda _: True):
        """The first event of this kind that matches."""
        return self.wait(kind, lambda _: next(filter(matches, self.events(kind)), None))

    def events(self, kind: str) -> list:
        """The events of this kind that have come."""
        came = [f.event for f in self.frames if f.WhichOneof("frame") == "event"]
        return [getattr(event, kind) for event in came if event.WhichOneof("event") == kind]

    def sent(self) -> list:
        """The messages that have come."""
        return [event.message for event in self.events("message_sent")]

    def message(self, text: str):
        return self.event("message_sent", lambda sent: sent.message.text == text).message

    @property
    def ready(self):
        return self.frame("ready")

    def caught_up(self) -> "Stream":
        self.frame("caught_up")
        return self

    def checkpoint(self, after: int = 0):
        """The first Checkpoint behind so many frames."""
        def newest(frames):
            late = (f.checkpoint for f in frames[after:] if f.WhichOneof("frame") == "checkpoint")
            return next(late, None)

        return self.wait("checkpoint", newest)

    def command(self, ack_id: str | None = None, **command):
        """Sends a command, waits for its Ack, and answers what came of it."""
        ack_id = ack_id or str(uuid.uuid4())
        # An id may be used again once it was answered: only what comes from now on is meant.
        before = len(self.frames)
        self.give(ack_id, **command)
        acks = lambda frames: (f.ack for f in frames[before:] if f.WhichOneof("frame") == "ack")
        mine = lambda frames: next((ack for ack in acks(frames) if ack.ack_id == ack_id), None)
        ack = self.wait("ack", mine)
        result = ack.WhichOneof("result")
        if result == "error":
            raise AddaError.of_stream(ack.error)
        return getattr(ack, result) if result else None

    def give(self, ack_id: str = "", **command):
        """Sends a command and waits for nothing."""
        self._up.put(streams.ConnectRequest(ack_id=ack_id, **command))

    def send(self, chat_id: str, text: str, client_message_id: str | None = None):
        message_id = client_message_id or str(uuid.uuid4())
        send = streams.MessageSend(chat_id=chat_id, text=text, client_message_id=message_id)
        return self.command(message_id, message_send=send)

    def cut(self):
        """As a tunnel does: without a word."""
        self._call.cancel()
        self._reader.join()

    def leave(self):
        """Ends this side; what is under way is answered, then the stream ends."""
        self._up.put(None)
        self._reader.join(PATIENCE)
        assert self.ended, "the stream did not end"
