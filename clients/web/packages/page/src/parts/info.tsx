import { messageAt, select, type Message } from "@adda/client";
import { useEffect } from "react";

import { sameList, useAdda, useView } from "../context.js";
import { t } from "../i18n/index.js";
import { full } from "../time.js";
import { Dialog } from "./dialog.js";

/** Who has received and who has read an own message. */
export function Info({ message, onClose }: { message: Message; onClose(): void }) {
  const adda = useAdda();
  const { chatId, seq } = message;
  useEffect(() => void adda.refreshMessage(chatId, seq).catch(() => {}), [adda, chatId, seq]);
  const delivered = useView((state) => select.receivers(state, messageAt(state, chatId, seq) ?? message).delivered, sameList);
  const read = useView((state) => select.receivers(state, messageAt(state, chatId, seq) ?? message).read, sameList);
  const list = (title: string, users: readonly string[]) => (
    <section>
      <h3>{title}</h3>
      {users.length === 0
        ? <p className="quiet">{t("info.nobody")}</p>
        : <ul className="plain-list">{users.map((id) => <li key={id}><bdi>{select.nameOf(adda.state, id)}</bdi></li>)}</ul>}
    </section>
  );
  return (
    <Dialog title={t("info.title")} onClose={onClose}>
      <div className="form">
        <p className="quiet">{t("info.sent")}: {full(message.createdAt)}</p>
        {list(t("info.read"), read)}
        {list(t("info.delivered"), delivered.filter((id) => !read.includes(id)))}
      </div>
    </Dialog>
  );
}
