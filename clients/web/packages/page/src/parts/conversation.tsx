/** One chat: who is there, what was said, what one writes. */

import { isMember, select, type Chat, type Message, type State } from "@adda/client";
import { useCallback, useEffect, useRef, useState } from "react";

import { sameList, useAdda, usePage, useView } from "../context.js";
import { t } from "../i18n/index.js";
import { ago } from "../time.js";
import { Avatar } from "./avatar.js";
import { Composer, type Wish } from "./composer.js";
import { Details } from "./details.js";
import { Icon } from "./icons.js";
import { Timeline, type TimelineHandle } from "./timeline.js";

export function Conversation({ chatId, jump }: { chatId: string; jump: { seq: number; n: number } | null }) {
  const adda = useAdda();
  const chat = useView((state) => state.chats.get(chatId));
  const title = useView((state) => (chat ? select.titleOf(state, chat) : ""));
  const [wish, setWish] = useState<Wish | null>(null);
  const [details, setDetails] = useState(false);
  const timeline = useRef<TimelineHandle>(null);
  useEffect(() => {
    const shown = adda.show(chatId);
    return () => shown.close();
  }, [adda, chatId]);
  const reply = useCallback((message: Message) => setWish({ kind: "reply", message }), []);
  const edit = useCallback((message: Message) => setWish({ kind: "edit", message }), []);
  if (!chat || !isMember(chat)) return <Loading isLeft={chat !== undefined && chat.removedAt >= 0} />;
  return (
    <section className="conversation" aria-label={title}>
      <Header chat={chat} onDetails={() => setDetails(true)} />
      <Timeline ref={timeline} chat={chat} jump={jump} onReply={reply} onEdit={edit} />
      <Typing chatId={chatId} />
      <Composer chat={chat} wish={wish} onWish={setWish} onSent={() => timeline.current?.toNewest()} />
      {details && <Details chat={chat} onClose={() => setDetails(false)} />}
    </section>
  );
}

/** A chat that is not known yet, or not any more. */
function Loading({ isLeft }: { isLeft: boolean }) {
  const { openChat } = usePage();
  const up = useView((state) => state.link.kind === "up");
  useEffect(() => {
    if (!up && !isLeft) return;
    // Whoever has left, or never was there, is shown the inbox.
    const timer = setTimeout(() => openChat(null), isLeft ? 0 : PATIENCE);
    return () => clearTimeout(timer);
  }, [up, isLeft, openChat]);
  return <section className="conversation"><p className="quiet centre">{t("chat.loading")}</p></section>;
}

/** How long a chat may take to be heard of, once there is a connection. */
const PATIENCE = 4_000;

function Header({ chat, onDetails }: { chat: Chat; onDetails(): void }) {
  const { openChat } = usePage();
  const title = useView((state) => select.titleOf(state, chat));
  const avatar = useView((state) => select.avatarOf(state, chat));
  const other = useView((state) => select.peer(state, chat)?.userId ?? "");
  const presence = useView((state) => select.presenceOf(state, other));
  const typing = useView((state) => typingText(state, chat));
  useMinutes();
  return (
    <header className="bar">
      <button type="button" className="round only-narrow" aria-label={t("chat.back")} onClick={() => openChat(null)}>
        <Icon name="back" />
      </button>
      <Avatar id={other || chat.chatId} name={title} url={avatar} {...(presence ? { online: presence.online } : {})} />
      <div className="heading">
        <h1><bdi>{title}</bdi></h1>
        <p className="quiet" data-typing={typing !== ""}>
          {typing || (chat.kind === "group" ? t("chat.members", { n: chat.memberCount }) : here(presence))}
        </p>
      </div>
      <button type="button" className="round" aria-label={t("chat.details")} onClick={onDetails}>
        <Icon name="more" />
      </button>
    </header>
  );
}

/** Drawn again each minute: what was "just now" is not any more. */
function useMinutes(): void {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 60_000);
    return () => clearInterval(timer);
  }, []);
}

function here(presence: { online: boolean; at: number | null } | undefined): string {
  if (!presence) return " ";
  if (presence.online) return t("presence.online");
  return presence.at ? t("presence.last", { when: ago(presence.at, Date.now()) }) : t("presence.lately");
}

export function typingText(state: State, chat: Chat): string {
  const users = select.typingIn(state, chat.chatId);
  if (users.length === 0) return "";
  if (chat.kind === "direct") return t("typing.short");
  const [a, b] = users.map((user) => select.nameOf(state, user));
  if (users.length === 1) return t("typing.one", { name: a! });
  return users.length === 2 ? t("typing.two", { a: a!, b: b! }) : t("typing.many");
}

/** Three dots where the next message will be. Its room is there always, so that nothing moves. */
function Typing({ chatId }: { chatId: string }) {
  const users = useView((state) => select.typingIn(state, chatId), sameList);
  const names = useView((state) => select.typingIn(state, chatId).map((user) => select.nameOf(state, user)), sameList);
  return (
    <div className="typing" aria-hidden="true" data-on={users.length > 0}>
      {users.length > 0 && <><i /><i /><i /><bdi>{names[0]}</bdi></>}
    </div>
  );
}
