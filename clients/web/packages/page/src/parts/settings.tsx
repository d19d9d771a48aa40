import type { Privacy, User } from "@adda/client";
import { useEffect, useState } from "react";

import type { Account } from "../account.js";
import { usePage } from "../context.js";
import { LANGUAGES, currentLanguage, t } from "../i18n/index.js";
import { setTheme, theme, type Theme } from "../preferences.js";
import { Dialog } from "./dialog.js";
import { Notifications } from "./notify.js";

export function Settings({ account, onClose }: { account: Account; onClose(): void }) {
  const { setLanguage, signOut } = usePage();
  const [look, setLook] = useState<Theme>(theme);
  return (
    <Dialog title={t("settings.title")} onClose={onClose}>
      <div className="form">
        <p className="quiet">{t("settings.signedin", { name: account.name })}</p>
        <label>{t("settings.language")}
          <select value={currentLanguage()} onChange={(event) => setLanguage(event.target.value === "bn" ? "bn" : "en")}>
            {LANGUAGES.map(({ id, name }) => <option key={id} value={id} lang={id}>{name}</option>)}
          </select>
        </label>
        <label>{t("settings.theme")}
          <select value={look} onChange={(event) => {
            const next = event.target.value as Theme;
            setTheme(next);
            setLook(next);
          }}>
            {(["auto", "light", "dark"] as const).map((each) => (
              <option key={each} value={each}>{t(`settings.theme.${each}`)}</option>
            ))}
          </select>
        </label>
        <Notifications />
        <PrivacyPart />
        <Blocked />
        <button type="button" className="danger" onClick={signOut}>{t("settings.signout")}</button>
        <p className="quiet small">{t("settings.signout.hint")}</p>
      </div>
    </Dialog>
  );
}

/** Not shown where the server has no such thing. */
function PrivacyPart() {
  const { adda, attempt } = usePage();
  const [held, hold] = useState<Privacy | null>(null);
  useEffect(() => void adda.privacy().then(hold, () => {}), [adda]);
  if (!held) return null;
  const change = async (wish: Partial<Privacy>): Promise<void> => {
    hold({ ...held, ...wish });
    if (!(await attempt("people", async () => hold(await adda.privacy(wish))))) hold(held);
  };
  return (
    <fieldset>
      <legend>{t("settings.privacy")}</legend>
      <label className="check">
        <input type="checkbox" checked={held.hideLastActive}
          onChange={(event) => void change({ hideLastActive: event.target.checked })} />
        {t("settings.hidelast")}
      </label>
      <label className="check">
        <input type="checkbox" checked={held.hideReadReceipts}
          onChange={(event) => void change({ hideReadReceipts: event.target.checked })} />
        {t("settings.hideread")}
      </label>
      <p className="quiet small">{t("settings.privacy.hint")}</p>
    </fieldset>
  );
}

function Blocked() {
  const { adda, attempt } = usePage();
  const [users, setUsers] = useState<readonly User[] | null>(null);
  useEffect(() => void adda.listBlocked().then(({ items }) => setUsers(items), () => {}), [adda]);
  if (!users) return null;
  return (
    <fieldset>
      <legend>{t("settings.blocked")}</legend>
      {users.length === 0 && <p className="quiet small">{t("settings.blocked.none")}</p>}
      {users.map((user) => (
        <p key={user.userId} className="pair">
          <bdi>{user.name || user.userId}</bdi>
          <button type="button" className="plain" onClick={() => void attempt("people", async () => {
            await adda.block(user.userId, false);
            setUsers(users.filter((each) => each !== user));
          })}>{t("settings.unblock")}</button>
        </p>
      ))}
    </fieldset>
  );
}
