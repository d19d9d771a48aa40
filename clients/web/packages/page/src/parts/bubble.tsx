/** One message: what it says and carries, how far it has come, and what can be done with it. */

import { messageAt, select, type Message, type Pending } from "@adda/client";
import { memo, useCallback, useEffect, useRef, useState, type KeyboardEvent, type MouseEvent } from "react";

import { sameList, useAdda, usePage, useView } from "../context.js";
import { number, t } from "../i18n/index.js";
import { clock, full } from "../time.js";
import { Attachments, PendingFiles } from "./attachments.js";
import { Avatar } from "./avatar.js";
import { Icon, Ticks } from "./icons.js";
import { Info } from "./info.js";
import { Menu, type Item } from "./menu.js";
import { line, note } from "./say.js";
import { Text, isEmojiOnly } from "./text.js";
import { tickName } from "./ticks.js";

export const QUICK = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

interface Props {
  readonly message: Message;
  readonly starts: boolean;
  readonly ends: boolean;
  readonly isGroup: boolean;
  readonly isTarget: boolean;
  readonly place: number;
  readonly of: number;
  onReply(message: Message): void;
  onEdit(message: Message): void;
  onJump(seq: number): void;
}

export const Bubble = memo(function Bubble(props: Props) {
  const { message, starts, ends, isGroup, isTarget, place, of } = props;
  const adda = useAdda();
  const state = useView((now) => now.users) && adda.state;
  const tick = useView((now) => select.tick(now, message));
  const [menu, setMenu] = useState<DOMRect | null>(null);
  const [info, setInfo] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const close = useCallback(() => setMenu(null), []);
  if (message.hidden) return null;
  const feed = { "data-seq": message.seq, tabIndex: -1, "aria-posinset": place, "aria-setsize": of };
  if (message.note && message.note.kind !== "announcement") {
    return <article className="note" {...feed}><span dir="auto">{note(state, message)}</span></article>;
  }
  const mine = message.senderId === adda.me;
  const gone = message.deletedAt > 0;
  const sender = select.nameOf(state, message.senderId);
  const open = (event: MouseEvent | KeyboardEvent): void => {
    if (gone && !mine) return;
    event.preventDefault();
    setMenu((opener.current ?? (event.target as HTMLElement)).getBoundingClientRect());
  };
  const big = !gone && message.attachments.length === 0 && message.replyToSeq === 0 && isEmojiOnly(message.text);
  return (
    <article className="message" data-mine={mine} data-starts={starts} data-ends={ends} data-target={isTarget}
      {...feed} aria-label={`${mine ? t("message.you") : sender}, ${clock(message.createdAt)}`} onContextMenu={open}
      onKeyDown={(event) => { if (event.key === "Enter" && event.target === event.currentTarget) open(event); }}>
      {isGroup && !mine && (
        <span className="side">{ends && <Avatar id={message.senderId} name={sender}
          url={state.users.get(message.senderId)?.avatarUrl ?? ""} />}</span>
      )}
      <div className="bubble" data-big={big}>
        {isGroup && !mine && starts && <p className="sender"><bdi>{sender}</bdi></p>}
        {message.replyToSeq > 0 && <Quote message={message} onJump={props.onJump} />}
        {gone
          ? <p className="gone">{t("message.deleted")}</p>
          : <>
            {message.attachments.length > 0 && <Attachments message={message} />}
            {message.text && <p className="text" dir="auto"><Text state={state} message={message} /></p>}
          </>}
        <span className="meta">
          {message.editedAt > 0 && <span>{t("message.edited")}</span>}
          <time dateTime={new Date(message.createdAt).toISOString()} title={full(message.createdAt)}>
            {clock(message.createdAt)}
          </time>
          {mine && !gone && <Ticks state={tick} label={tickName(tick)} />}
        </span>
        {message.reactions.length > 0 && <Reactions message={message} />}
      </div>
      {!gone && (
        <button ref={opener} type="button" className="round small act" aria-label={t("message.actions")}
          aria-haspopup="menu" onClick={open}><Icon name="more" /></button>
      )}
      {menu && <Actions {...props} at={menu} onClose={close} onInfo={() => setInfo(true)} />}
      {info && <Info message={message} onClose={() => setInfo(false)} />}
    </article>
  );
});

function Actions({ message, at, onClose, onReply, onEdit, onInfo }: Props & {
  at: DOMRect;
  onClose(): void;
  onInfo(): void;
}) {
  const { adda, attempt, missing, toast } = usePage();
  const { state } = adda;
  const gone = message.deletedAt > 0;
  const items: Item[] = [];
  if (!gone) items.push({ label: t("message.reply"), do: () => onReply(message) });
  if (message.text && !gone) {
    items.push({ label: t("message.copy"), do: () => void navigator.clipboard.writeText(message.text)
      .then(() => toast(t("message.copied")), () => {}) });
  }
  if (!missing.has("edit") && select.mayEdit(state, message, Date.now()) && !gone) {
    items.push({ label: t("message.edit"), do: () => onEdit(message) });
  }
  if (message.senderId === adda.me && !gone) items.push({ label: t("message.info"), do: onInfo });
  if (!missing.has("delete")) {
    const remove = (all: boolean) => () => void attempt("delete", () => adda.remove(message, all));
    items.push({ label: t("message.delete.me"), danger: true, do: remove(false) });
    if (select.mayDelete(state, message)) {
      items.push({ label: t("message.delete.all"), danger: true, do: remove(true) });
    }
  }
  const head = !gone && !missing.has("react") && (
    <div className="quick" role="group" aria-label={t("message.react")}>
      {QUICK.map((emoji) => {
        const on = !message.mine.includes(emoji);
        return (
          <button key={emoji} type="button" role="menuitemcheckbox" aria-checked={!on}
            aria-label={t("message.react.with", { emoji })}
            onClick={() => { onClose(); void attempt("react", () => adda.react(message, emoji, on)); }}>{emoji}</button>
        );
      })}
    </div>
  );
  return <Menu label={t("message.actions")} items={items} at={at} head={head} onClose={onClose} />;
}

function Quote({ message, onJump }: { message: Message; onJump(seq: number): void }) {
  const adda = useAdda();
  const quoted = useView((state) => messageAt(state, message.chatId, message.replyToSeq));
  const { state } = adda;
  const name = quoted ? (quoted.senderId === adda.me ? t("message.you") : select.nameOf(state, quoted.senderId)) : "";
  const lacks = !quoted || quoted.createdAt === 0;
  useEffect(() => {
    if (lacks) void adda.load(message.chatId, message.replyToSeq, message.replyToSeq).catch(() => {});
  }, [adda, lacks, message.chatId, message.replyToSeq]);
  return (
    <button type="button" className="quote" onClick={() => onJump(message.replyToSeq)}>
      <span className="hidden">{t("message.reply.to")}</span>
      <strong><bdi>{name || "…"}</bdi></strong>
      <span dir="auto">{quoted ? line(state, quoted) : "…"}</span>
    </button>
  );
}

function Reactions({ message }: { message: Message }) {
  const { adda, attempt } = usePage();
  return (
    <span className="reactions">
      {message.reactions.map(({ emoji, count }) => {
        const mine = message.mine.includes(emoji);
        return (
          <button key={emoji} type="button" aria-pressed={mine} aria-label={t("message.reacted", { emoji, n: count })}
            onClick={() => void attempt("react", () => adda.react(message, emoji, !mine))}>
            {emoji}{count > 1 && <span>{number(count)}</span>}
          </button>
        );
      })}
    </span>
  );
}

/** A message on its way: it waits visibly, settles in its place, and says why if it cannot go. */
export const PendingBubble = memo(function PendingBubble({ row, starts, ends }: {
  row: Pending;
  starts: boolean;
  ends: boolean;
}) {
  const adda = useAdda();
  const names = useView((state) => row.mentions.map((id) => select.nameOf(state, id)), sameList);
  return (
    <article className="message" data-mine="true" data-starts={starts} data-ends={ends} data-pending
      aria-label={`${t("message.you")}, ${row.failed ? t("tick.failed") : t("tick.waiting")}`}>
      <div className="bubble" data-failed={row.failed !== null} data-names={names.length}>
        {row.files.length > 0 && <PendingFiles row={row} />}
        {row.text && <p className="text" dir="auto"><Text state={adda.state} message={row} /></p>}
        <span className="meta">
          <time>{clock(row.createdAt)}</time>
          <span role="img" aria-label={row.failed ? t("tick.failed") : t("tick.waiting")}>
            <Icon name={row.failed ? "warn" : "clock"} />
          </span>
        </span>
      </div>
      {row.failed && <Failed row={row} />}
    </article>
  );
});

function Failed({ row }: { row: Pending }) {
  const adda = useAdda();
  return (
    <p className="failed" role="alert">
      <span>{reasonOf(row)}</span>
      <button type="button" className="plain" onClick={() => void adda.retry(row.clientMessageId)}>
        {t("pending.retry")}
      </button>
      <button type="button" className="plain" onClick={() => void adda.discard(row.clientMessageId)}>
        {t("pending.discard")}
      </button>
    </p>
  );
}

function reasonOf({ failed }: Pending): string {
  switch (failed?.reason) {
    case "BLOCKED":
      return t("error.blocked");
    case "CHAT_NOT_FOUND":
      return t("error.gone");
    case "ATTACHMENT_TYPE_REFUSED":
      return t("error.type");
    case "TOO_LARGE":
      return t("error.large");
    case "UNIMPLEMENTED":
    case "NOT_CONFIGURED":
      return t("error.missing");
    case "FIELD_INVALID":
      return t("error.field");
    default:
      return t("tick.failed");
  }
}
