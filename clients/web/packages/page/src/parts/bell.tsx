/** What happened while the user was away: how much of it is unread, and the list. */

import { isMissing, select, type AddaError, type Notice, type State } from "@adda/client";
import { useEffect, useState } from "react";

import { sameList, useAdda, usePage, useView } from "../context.js";
import { number, t } from "../i18n/index.js";
import { brief, full } from "../time.js";
import { Avatar } from "./avatar.js";
import { Dialog } from "./dialog.js";
import { Icon } from "./icons.js";

/** More do not fit into the badge. */
const MOST = 99;

/** Not there where the server has no such list. */
export function Bell() {
  const adda = useAdda();
  const [missing, setMissing] = useState(false);
  const [open, setOpen] = useState(false);
  const unread = useView((state) => state.unreadNotices);
  useEffect(() => {
    let gone = false;
    adda.listNotices().catch((cause: AddaError) => { if (!gone && isMissing(cause)) setMissing(true); });
    return () => { gone = true; };
  }, [adda]);
  if (missing) return null;
  return (
    <>
      <button type="button" className="round bell" onClick={() => setOpen(true)}
        aria-label={unread > 0 ? t("bell.unread", { n: unread }) : t("bell.title")}>
        <Icon name="bell" />
        {unread > 0 && <span className="badge" aria-hidden="true">{unread > MOST ? `${number(MOST)}+` : number(unread)}</span>}
      </button>
      {open && <Notices onClose={() => setOpen(false)} />}
    </>
  );
}

function Notices({ onClose }: { onClose(): void }) {
  const { adda, attempt, openChat } = usePage();
  const notices = useView(select.notices, sameList);
  const unread = useView((state) => state.unreadNotices);
  // Not known until the first page was read here.
  const [next, setNext] = useState("");
  useEffect(() => void adda.listNotices().then(setNext, () => {}), [adda]);
  const newest = notices[0]?.updatedAt ?? 0;
  const follow = ({ noticeId, chatId, seq, read }: Notice): void => {
    if (!read) void attempt(null, () => adda.markNotices([noticeId]));
    if (!adda.state.chats.has(chatId)) return;
    onClose();
    openChat(chatId, seq || undefined);
  };
  return (
    <Dialog title={t("bell.title")} onClose={onClose}>
      <div className="notices">
        {notices.length === 0 && <p className="quiet">{t("bell.none")}</p>}
        {unread > 0 && newest > 0 && (
          <button type="button" className="plain" onClick={() =>
            void attempt(null, () => adda.markNoticesUntil(newest))}>{t("bell.readall")}</button>
        )}
        <ul className="chats">
          {notices.map((notice) => <NoticeRow key={notice.noticeId} notice={notice} onFollow={() => follow(notice)} />)}
        </ul>
        {next && (
          <button type="button" className="plain" onClick={() =>
            void attempt(null, async () => setNext(await adda.listNotices(next)))}>{t("bell.more")}</button>
        )}
      </div>
    </Dialog>
  );
}

function NoticeRow({ notice, onFollow }: { notice: Notice; onFollow(): void }) {
  const title = useView((state) => whereOf(state, notice));
  const text = useView((state) => textOf(state, notice));
  const avatar = useView((state) => {
    const chat = state.chats.get(notice.chatId);
    return chat ? select.avatarOf(state, chat) : "";
  });
  const other = useView((state) => {
    const chat = state.chats.get(notice.chatId);
    return chat ? (select.peer(state, chat)?.userId ?? notice.chatId) : notice.actorId;
  });
  return (
    <li>
      <button type="button" className="row" data-unread={!notice.read} onClick={onFollow}>
        <Avatar id={other} name={title} url={avatar} />
        <span className="row-top">
          <strong><bdi>{title}</bdi></strong>
          <time dateTime={new Date(notice.updatedAt).toISOString()} title={full(notice.updatedAt)}
            data-unread={!notice.read}>{brief(notice.updatedAt, Date.now())}</time>
        </span>
        <span className="row-bottom">
          <span className="preview" dir="auto">{text}</span>
          {!notice.read && <span className="new" role="img" aria-label={t("bell.new")} />}
        </span>
      </button>
    </li>
  );
}

/** Of a chat that is not known here yet: who did it. */
function whereOf(state: State, { chatId, actorId }: Notice): string {
  const chat = state.chats.get(chatId);
  return chat ? select.titleOf(state, chat) : nameOf(state, actorId);
}

/** It was a person, or the product. */
function nameOf(state: State, actorId: string): string {
  return actorId ? select.nameOf(state, actorId) : t("app.name");
}

function textOf(state: State, { kind, actorId, count, emoji }: Notice): string {
  const name = nameOf(state, actorId);
  if (kind === "messages") return t("bell.messages", { n: count });
  return kind === "reaction" ? t("bell.reaction", { n: count, name, emoji }) : t(`bell.${kind}`, { name });
}
