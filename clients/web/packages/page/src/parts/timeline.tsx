/** What was said, over any number of messages: only what is near the screen is drawn. See `window.ts`. */

import { messageAt, select, type Chat, type Message, type State } from "@adda/client";
import { useCallback, useEffect, useImperativeHandle, useMemo, useState, type KeyboardEvent, type Ref } from "react";

import { sameList, useAdda, useView } from "../context.js";
import { t } from "../i18n/index.js";
import { day, dayOf } from "../time.js";
import { badge } from "./inbox.js";
import { Bubble, PendingBubble } from "./bubble.js";
import { Icon } from "./icons.js";
import { ROW, useWindow } from "./window.js";

export interface TimelineHandle {
  toNewest(): void;
}

interface Props {
  readonly ref: Ref<TimelineHandle>;
  readonly chat: Chat;
  readonly jump: { seq: number; n: number } | null;
  onReply(message: Message): void;
  onEdit(message: Message): void;
}

export function Timeline({ ref, chat, jump, onReply, onEdit }: Props) {
  const adda = useAdda();
  const { chatId } = chat;
  const first = chat.visibleFrom;
  const last = Math.max(chat.lastSeq, first - 1);
  // Where the chat opens, and where the line is drawn: as it was when it came on screen.
  const [unreadFrom] = useState(() => select.firstUnread(adda.state, chatId));
  const seen = useCallback((from: number, to: number) => {
    if (document.visibilityState === "visible" && document.hasFocus()) adda.seen(chatId, from, to);
  }, [adda, chatId]);
  const view = useWindow(first, last, unreadFrom || null, seen);
  const [target, setTarget] = useState<number | null>(null);

  const go = useCallback((seq: number) => {
    view.toSeq(seq);
    setTarget(seq);
    setTimeout(() => setTarget((now) => (now === seq ? null : now)), 2_000);
  }, [view.toSeq]);
  useEffect(() => { if (jump) go(jump.seq); }, [jump, go]);
  useImperativeHandle(ref, () => ({ toNewest: view.toNewest }), [view.toNewest]);

  const messages = useView((state) => range(state, chatId, view.first, view.last), sameList);
  const lacks = messages.includes(undefined);
  const up = useView((state) => state.link.kind === "up");
  // What could not be read is asked for again when the connection is back.
  useEffect(() => {
    if (lacks) void adda.load(chatId, view.first, view.last).catch(() => {});
  }, [adda, chatId, view.first, view.last, lacks, up]);
  const pending = useView((state) => select.pendingIn(state, chatId), sameList);
  const unread = useView((state) => select.unread(state, chatId));
  const now = Date.now();
  const rows = useMemo(() => messages.map((message, i) => {
    const before = messages[i - 1];
    const after = messages[i + 1];
    return { seq: view.first + i, message, starts: startsGroup(before, message), ends: startsGroup(message, after),
      day: message && (!before || dayOf(before.createdAt) !== dayOf(message.createdAt)) };
  }), [messages, view.first]);

  /** Between messages, as in any list; Home and End go to its ends. */
  const keys = (event: KeyboardEvent): void => {
    if ((event.target as HTMLElement).closest("[role=menu], textarea, input")) return;
    const here = (document.activeElement as HTMLElement | null)?.closest<HTMLElement>("[data-seq]");
    const at = here ? Number(here.dataset["seq"]) : last + 1;
    if (event.key === "End") return view.toNewest();
    if (event.key === "Home") return view.toSeq(first);
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    let next = at + step;
    const row = (seq: number) => view.box.current?.querySelector<HTMLElement>(`[data-seq="${seq}"]`);
    while (next >= view.first && next <= view.last && !row(next)?.matches("[tabindex]")) next += step;
    row(next)?.focus();
  };

  return (
    <div className="timeline-place">
      <div ref={view.box} className="timeline" role="feed" aria-label={t("chat.messages")} aria-busy={false}
        tabIndex={0} onScroll={view.onScroll} onKeyDown={keys}>
        <div ref={view.content} className="timeline-content">
          {view.first <= first && <p className="begin">{t("chat.begin")}</p>}
          <div style={{ height: (view.first - first) * ROW }} aria-hidden="true" />
          {rows.map(({ seq, message, starts, ends, day: newDay }) => (
            <div key={message ? `${message.senderId}/${message.clientMessageId || seq}` : seq} className="place" data-place={seq}>
              {newDay && message && <p className="day"><span>{day(message.createdAt, now)}</span></p>}
              {seq === unreadFrom && <p className="unread-line"><span>{t("chat.unread")}</span></p>}
              {message
                ? <Bubble {...{ message, starts, ends, onReply, onEdit }} isTarget={target === seq} onJump={go}
                    place={seq - first + 1} of={last - first + 1} isGroup={chat.kind === "group"} />
                : <div className="skeleton" aria-hidden="true" />}
            </div>
          ))}
          <div style={{ height: (last - view.last) * ROW }} aria-hidden="true" />
          {pending.map((row, i) => (
            <div key={`${adda.me}/${row.clientMessageId}`} className="place">
              <PendingBubble row={row} starts={i === 0 && messages.at(-1)?.senderId !== adda.me}
                ends={i === pending.length - 1} />
            </div>
          ))}
        </div>
      </div>
      {!view.atNewest && (
        <button type="button" className="pill" onClick={view.toNewest}
          aria-label={unread > 0 ? t("chat.new", { n: unread }) : t("chat.newest")}>
          {unread > 0 && <span className="badge" aria-hidden="true">{badge(unread)}</span>}
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}

function range(state: State, chatId: string, first: number, last: number): readonly (Message | undefined)[] {
  const out: (Message | undefined)[] = [];
  for (let seq = first; seq <= last; seq++) {
    const message = messageAt(state, chatId, seq);
    // Of one that only changes were heard of there is nothing to show yet.
    out.push(message && message.createdAt > 0 ? message : undefined);
  }
  return out;
}

/** Within so long, messages of one person stand together. */
const TOGETHER = 5 * 60_000;

function startsGroup(before: Message | undefined, message: Message | undefined): boolean {
  if (!before || !message) return true;
  return before.senderId !== message.senderId || before.note !== null || message.note !== null
    || message.createdAt - before.createdAt > TOGETHER || dayOf(before.createdAt) !== dayOf(message.createdAt);
}
