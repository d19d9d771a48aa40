/** A person without a browser: fills chats fast, for what is looked at in one. */

import { createClient, type Client } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { ChatKind } from "../../client/src/gen/adda/v1/chat_pb.js";
import { ChatService } from "../../client/src/gen/adda/v1/chat_service_pb.js";

export class Speaker {
  private constructor(private readonly chat: Client<typeof ChatService>) {}

  static async at(server: string, user: string, name = user): Promise<Speaker> {
    const answer = await fetch(`${server}/dev/token`, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ user, name }),
    });
    const { token } = (await answer.json()) as { token: string };
    return new Speaker(createClient(ChatService, createGrpcTransport({
      baseUrl: server,
      interceptors: [(next) => (request) => {
        request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      }],
    })));
  }

  async direct(other: string): Promise<string> {
    return (await this.chat.createChat({ kind: ChatKind.DIRECT, memberIds: [other] })).chat!.chatId;
  }

  async group(title: string, memberIds: string[]): Promise<string> {
    return (await this.chat.createChat({ kind: ChatKind.GROUP, memberIds, title })).chat!.chatId;
  }

  /** The chat that stands first in the inbox. */
  async newest(): Promise<string> {
    return (await this.chat.listChats({ pageSize: 1 })).chats[0]!.chatId;
  }

  async say(chatId: string, text: string, replyToMessageId = "", mentions: string[] = []):
    Promise<{ messageId: string; seq: number }> {
    const message = { chatId, clientMessageId: crypto.randomUUID(), text, replyToMessageId, mentions };
    return (await this.chat.sendMessage({ message })).outcome!;
  }

  /** The newest messages of a chat. */
  async messages(chatId: string): Promise<readonly { messageId: string; text: string }[]> {
    return (await this.chat.listMessages({ chatId })).messages;
  }

  async react(chatId: string, messageId: string, emoji: string): Promise<void> {
    await this.chat.addReaction({ chatId, messageId, emoji });
  }

  async unreact(chatId: string, messageId: string, emoji: string): Promise<void> {
    await this.chat.removeReaction({ chatId, messageId, emoji });
  }

  /** Many messages, many at a time: their order is not that of the texts. */
  async sayMany(chatId: string, texts: readonly string[], atOnce = 200): Promise<void> {
    let next = 0;
    await Promise.all(Array.from({ length: Math.min(atOnce, texts.length) }, async () => {
      while (next < texts.length) await this.say(chatId, texts[next++]!);
    }));
  }

  async read(chatId: string, last: number): Promise<void> {
    await this.chat.ackRead({ ack: { chatId, seqs: [{ first: 1, last }] } });
  }
}
