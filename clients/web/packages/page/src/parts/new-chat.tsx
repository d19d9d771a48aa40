import { useRef, useState, type FormEvent } from "react";

import { usePage, useView } from "../context.js";
import { t } from "../i18n/index.js";
import { Dialog } from "./dialog.js";

/** With one person, or a group. */
export function NewChat({ onClose }: { onClose(): void }) {
  const { adda, attempt, openChat } = usePage();
  const [group, setGroup] = useState(false);
  const [who, setWho] = useState("");
  const [title, setTitle] = useState("");
  const [busy, setBusy] = useState(false);
  // With the same key again it is the same group: a call that was cut may be repeated.
  const key = useRef(Math.random().toString(36).slice(2) + Date.now().toString(36));
  const known = useView((state) => state.users);
  const start = (event: FormEvent): void => {
    event.preventDefault();
    const ids = idsOf(who);
    setBusy(true);
    void attempt(null, async () => {
      const chatId = group ? await adda.createGroup(title.trim(), ids, key.current) : await adda.openDirect(ids[0] ?? "");
      onClose();
      openChat(chatId);
    }).then(() => setBusy(false));
  };
  return (
    <Dialog title={t("new.title")} onClose={onClose}>
      <form onSubmit={start} className="form">
        <div className="tabs" role="radiogroup" aria-label={t("new.title")}>
          {[false, true].map((each) => (
            <button key={String(each)} type="button" role="radio" aria-checked={group === each}
              onClick={() => setGroup(each)}>{each ? t("new.group") : t("new.direct")}</button>
          ))}
        </div>
        {group && (
          <label>{t("new.title.label")}
            <input value={title} maxLength={128} required onChange={(event) => setTitle(event.target.value)} />
          </label>
        )}
        <label>{group ? t("new.members") : t("new.user")}
          <input value={who} required={!group} autoFocus autoCapitalize="none" spellCheck={false} list="known-users"
            onChange={(event) => setWho(event.target.value)} />
          {group && <small className="quiet">{t("new.members.hint")}</small>}
        </label>
        <datalist id="known-users">
          {[...known.values()].filter(({ userId }) => userId !== adda.me).slice(0, 50)
            .map(({ userId, name }) => <option key={userId} value={userId}>{name}</option>)}
        </datalist>
        <button type="submit" className="primary" disabled={busy}>{group ? t("new.create") : t("new.start")}</button>
      </form>
    </Dialog>
  );
}

/** User ids as people write them down. */
export function idsOf(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
}
