/** All chats: what was said last, what is unread, who is here. */

import { select, type Chat, type Message, type State } from "@adda/client";
import { useEffect, useRef, useState, type KeyboardEvent } from "react";

import type { Account } from "../account.js";
import { sameList, useAdda, usePage, useView } from "../context.js";
import { number, t } from "../i18n/index.js";
import { draft } from "../preferences.js";
import { brief, full } from "../time.js";
import { Avatar } from "./avatar.js";
import { Bell } from "./bell.js";
import { Icon, Ticks } from "./icons.js";
import { NewChat } from "./new-chat.js";
import { line } from "./say.js";
import { Settings } from "./settings.js";
import { tickName } from "./ticks.js";

/** Rows that are drawn at once; more as one scrolls. */
const ROWS = 60;

export function Inbox({ account, chatId }: { account: Account; chatId: string | null }) {
  const [query, setQuery] = useState("");
  const [archived, setArchived] = useState(false);
  const [dialog, setDialog] = useState<"new" | "settings" | null>(null);
  const [rows, setRows] = useState(ROWS);
  const chats = useView((state) => found(state, query, archived), sameList);
  const anyArchived = useView((state) => select.inbox(state).some((chat) => chat.settings.archived));
  const total = useView(select.totalUnread);
  const list = useRef<HTMLUListElement>(null);
  const { openChat } = usePage();

  useEffect(() => {
    document.title = total > 0 ? `(${badge(total)}) ${t("app.name")}` : t("app.name");
  }, [total]);

  /** Up and down between chats, as in any list. */
  const move = (event: KeyboardEvent): void => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const links = [...(list.current?.querySelectorAll<HTMLElement>("a") ?? [])];
    const at = links.indexOf(document.activeElement as HTMLElement);
    const next = links[at + (event.key === "ArrowDown" ? 1 : -1)];
    if (!next) return;
    event.preventDefault();
    next.focus();
  };

  return (
    <nav className="inbox" aria-label={t("inbox.title")}>
      <header className="bar">
        {archived
          ? <button type="button" className="round" aria-label={t("inbox.archived.back")}
              onClick={() => setArchived(false)}><Icon name="back" /></button>
          : null}
        <h1>{archived ? t("inbox.archived") : t("inbox.title")}</h1>
        <Bell />
        <button type="button" className="round" aria-label={t("inbox.settings")}
          onClick={() => setDialog("settings")}><Icon name="settings" /></button>
        <button type="button" className="round" aria-label={t("inbox.new")}
          onClick={() => setDialog("new")}><Icon name="pencil" /></button>
      </header>
      <div className="search">
        <Icon name="search" />
        <input type="search" value={query} placeholder={t("inbox.search")} aria-label={t("inbox.search.label")}
          onChange={(event) => setQuery(event.target.value)}
          onKeyDown={(event) => { if (event.key === "ArrowDown") move(event); }} />
        {query && (
          <button type="button" className="round small" aria-label={t("inbox.search.clear")}
            onClick={() => setQuery("")}><Icon name="close" /></button>
        )}
      </div>
      <div className="scroll" onKeyDown={move} onScroll={({ currentTarget: box }) => {
        if (box.scrollHeight - box.scrollTop - box.clientHeight < 600 && rows < chats.length) setRows(rows + ROWS);
      }}>
        {chats.length > 0 && (
          <ul ref={list} className="chats">
            {chats.slice(0, rows).map((chat) => <ChatRow key={chat.chatId} chat={chat} isOpen={chat.chatId === chatId} />)}
          </ul>
        )}
        {query && <Found query={query} onOpen={(message) => openChat(message.chatId, message.seq)} />}
        {!query && !archived && anyArchived && (
          <button type="button" className="row archive" onClick={() => setArchived(true)}>
            <Icon name="archive" />{t("inbox.archived")}
          </button>
        )}
        {chats.length === 0 && !query && !anyArchived && (
          <div className="empty"><p>{t("inbox.empty")}</p><p className="quiet">{t("inbox.empty.hint")}</p></div>
        )}
      </div>
      {dialog === "new" && <NewChat onClose={() => setDialog(null)} />}
      {dialog === "settings" && <Settings account={account} onClose={() => setDialog(null)} />}
    </nav>
  );
}

function found(state: State, query: string, archived: boolean): readonly Chat[] {
  const wanted = query.trim().toLocaleLowerCase();
  return select.inbox(state).filter((chat) => {
    if (!wanted) return chat.settings.archived === archived;
    return select.titleOf(state, chat).toLocaleLowerCase().includes(wanted);
  });
}

export function badge(n: number): string {
  return n >= select.MANY ? `${number(select.MANY - 1)}+` : number(n);
}

interface Row {
  readonly title: string;
  readonly avatar: string;
  readonly preview: string;
  readonly typing: boolean;
  readonly at: number;
  readonly unread: number;
  readonly tick: number;
  readonly peer: string;
  readonly online: boolean | undefined;
  readonly lastActive: number | null;
}

/** What a row shows, so that it is drawn only when that is something else. */
function rowOf(state: State, chat: Chat): Row {
  const { last } = chat;
  const pending = select.pendingIn(state, chat.chatId).at(-1);
  const other = select.peer(state, chat)?.userId;
  const presence = other === undefined ? undefined : select.presenceOf(state, other);
  const mine = pending !== undefined || last?.senderId === state.me;
  const said = pending ? pending.text || t("preview.doc") : last ? line(state, last) : t("inbox.nomessages");
  const by = mine && !last?.note
    ? t("inbox.you", { text: said })
    : chat.kind === "group" && last && !last.note && last.deletedAt === 0
      ? t("inbox.by", { name: select.nameOf(state, last.senderId), text: said })
      : said;
  const typing = select.typingIn(state, chat.chatId);
  const writes = chat.kind === "group" && typing[0]
    ? t("typing.one", { name: select.nameOf(state, typing[0]) })
    : t("typing.short");
  return {
    title: select.titleOf(state, chat),
    avatar: select.avatarOf(state, chat),
    preview: typing.length > 0 ? writes : by,
    typing: typing.length > 0,
    at: pending?.createdAt ?? select.activity(chat),
    unread: select.unread(state, chat.chatId),
    tick: pending ? (pending.failed ? -1 : 0) : last && mine && last.deletedAt === 0 ? select.tick(state, last) : 0,
    peer: other ?? "",
    online: presence?.online,
    lastActive: presence?.at ?? null,
  };
}

function sameRow(a: Row, b: Row): boolean {
  return (Object.keys(a) as (keyof Row)[]).every((key) => a[key] === b[key]);
}

function ChatRow({ chat, isOpen }: { chat: Chat; isOpen: boolean }) {
  const row = useView((state) => rowOf(state, chat), sameRow);
  const { openChat } = usePage();
  const adda = useAdda();
  const now = Date.now();
  const typed = isOpen ? "" : draft(adda.me, chat.chatId);
  const muted = chat.settings.mutedUntil > now || select.levelOf(chat, now) === "none";
  return (
    <li>
      <a href={`#/c/${chat.chatId}`} className="row" aria-current={isOpen ? "page" : undefined}
        onClick={(event) => { event.preventDefault(); openChat(chat.chatId); }}>
        <Avatar id={row.peer || chat.chatId} name={row.title} url={row.avatar}
          {...(row.online === undefined ? {} : { online: row.online })} />
        <span className="row-top">
          <strong><bdi>{row.title}</bdi></strong>
          {row.online && <span className="hidden">{t("presence.online")}</span>}
          <time dateTime={new Date(row.at).toISOString()} title={full(row.at)} data-unread={row.unread > 0}>
            {brief(row.at, now)}
          </time>
        </span>
        <span className="row-bottom">
          <span className="preview" data-typing={row.typing} dir="auto">
            {row.tick !== 0 && !row.typing && !typed && (row.tick < 0
              ? <span className="failed" role="img" aria-label={t("tick.failed")}><Icon name="warn" /></span>
              : <Ticks state={row.tick} label={tickName(row.tick)} />)}
            {typed && !row.typing ? <><em>{t("inbox.draft")}</em> {typed}</> : row.preview}
          </span>
          {muted && <span role="img" aria-label={t("inbox.muted")} className="mark"><Icon name="mute" /></span>}
          {chat.settings.pinnedAt > 0 && (
            <span role="img" aria-label={t("inbox.pinned")} className="mark"><Icon name="pin" /></span>
          )}
          {row.unread > 0 && (
            <span className="badge" data-muted={muted}>
              <span aria-hidden="true">{badge(row.unread)}</span>
              <span className="hidden">{t("inbox.unread", { n: row.unread })}</span>
            </span>
          )}
        </span>
      </a>
    </li>
  );
}

/** How long the user may pause in a word before it is looked for. */
const WAIT = 250;

/** Messages that say it. */
function Found({ query, onOpen }: { query: string; onOpen(message: Message): void }) {
  const { adda, attempt, missing } = usePage();
  const [messages, setMessages] = useState<readonly Message[] | null>(null);
  const state = useView((now) => now);
  useEffect(() => {
    setMessages(null);
    if (query.trim().length < 2 || missing.has("search")) return;
    let gone = false;
    const timer = setTimeout(() => void attempt("search", async () => {
      const page = await adda.search(query.trim());
      if (!gone) setMessages(page.items);
    }), WAIT);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [adda, attempt, missing, query]);
  if (messages === null) return null;
  return (
    <section className="found">
      <h2>{t("inbox.messages")}</h2>
      {messages.length === 0 && <p className="quiet">{t("inbox.none")}</p>}
      <ul className="chats">
        {messages.map((message) => {
          const chat = state.chats.get(message.chatId);
          return (
            <li key={message.messageId}>
              <a href={`#/c/${message.chatId}`} className="row text"
                onClick={(event) => { event.preventDefault(); onOpen(message); }}>
                <span className="row-top">
                  <strong><bdi>{chat ? select.titleOf(state, chat) : ""}</bdi></strong>
                  <time dateTime={new Date(message.createdAt).toISOString()}>{brief(message.createdAt, Date.now())}</time>
                </span>
                <span className="preview" dir="auto">
                  {t("inbox.by", { name: select.nameOf(state, message.senderId), text: line(state, message) })}
                </span>
              </a>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
