/** What came, said to screen readers, and to the desktop where nobody looks. */

import { rings, select, type Message } from "@adda/client";
import { useEffect, useRef, useState } from "react";

import { useAdda, usePage } from "../context.js";
import { t } from "../i18n/index.js";
import { isQuiet, notify } from "../preferences.js";
import { line } from "./say.js";

/** Messages that come together are said together. */
const GATHER = 400;
/** Of more than so many only the last are said. */
const MOST = 4;

export function Live({ chatId }: { chatId: string | null }) {
  const adda = useAdda();
  const { openChat } = usePage();
  const [said, setSaid] = useState("");
  const waiting = useRef<string[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => adda.onMessage((message) => {
    if (message.senderId === adda.me || message.hidden) return;
    waiting.current = [...waiting.current, announce(adda, message, chatId)].slice(-MOST);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      setSaid(waiting.current.join("\n"));
      waiting.current = [];
    }, GATHER);
    ring(adda, message, () => openChat(message.chatId, message.seq));
  }), [adda, chatId, openChat]);
  return <div className="hidden" aria-live="polite" aria-atomic="true" data-live>{said}</div>;
}

function announce({ state }: { state: Parameters<typeof line>[0] }, message: Message, chatId: string | null): string {
  const text = line(state, message);
  const name = select.nameOf(state, message.senderId);
  const chat = state.chats.get(message.chatId);
  if (message.chatId === chatId || !chat) return t("live.message", { name, text });
  return t("live.elsewhere", { chat: select.titleOf(state, chat), name, text });
}

function ring(adda: { state: Parameters<typeof line>[0] }, message: Message, open: () => void): void {
  const wish = notify();
  if (!wish.on || document.visibilityState === "visible") return;
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  const { state } = adda;
  // Where the server does not keep quiet hours, this device does.
  if (!state.preferences && isQuiet(wish, new Date())) return;
  const how = rings(state, message, Date.now());
  const chat = state.chats.get(message.chatId);
  if (!how || !chat) return;
  const title = how.preview === "none" ? t("app.name") : select.titleOf(state, chat);
  const body = how.preview === "full" ? line(state, message)
    : how.preview === "sender" ? t("live.from", { name: select.nameOf(state, message.senderId) }) : t("live.new");
  const shown = new Notification(title, { body, tag: message.chatId, silent: how.silent });
  shown.onclick = () => {
    window.focus();
    open();
    shown.close();
  };
}
