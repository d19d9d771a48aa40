import { useState, type FormEvent } from "react";

import { SignInError, token, type Account } from "../account.js";
import { LANGUAGES, t, type Language } from "../i18n/index.js";
import { Logo } from "./icons.js";

interface Props {
  readonly server: string;
  onDone(account: Account): void;
  onLanguage(language: Language): void;
}

/** By name, as a development server allows. */
export function SignIn({ server, onDone, onLanguage }: Props) {
  const [user, setUser] = useState("");
  const [name, setName] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const enter = (event: FormEvent): void => {
    event.preventDefault();
    const account = { user: user.trim(), name: name.trim() || user.trim() };
    setBusy(true);
    setError("");
    token(server, account, true).then(() => onDone(account), (cause: unknown) => {
      setError(cause instanceof SignInError ? t(`signin.${cause.kind}`) : t("error.network"));
      setBusy(false);
    });
  };
  return (
    <main className="sign-in">
      <form onSubmit={enter} className="card">
        <Logo />
        <h1>{t("app.name")}</h1>
        <p className="quiet">{t("app.tagline")}</p>
        <label>
          {t("signin.user")}
          <input value={user} onChange={(event) => setUser(event.target.value)} autoComplete="username" required
            maxLength={64} pattern="[A-Za-z0-9_.:@\-]+" autoCapitalize="none" spellCheck={false} autoFocus
            aria-describedby="user-hint" />
          <small id="user-hint" className="quiet">{t("signin.user.hint")}</small>
        </label>
        <label>
          {t("signin.name")}
          <input value={name} onChange={(event) => setName(event.target.value)} autoComplete="name" maxLength={64} />
        </label>
        {error && <p className="error" role="alert">{error}</p>}
        <button type="submit" className="primary" disabled={busy}>{t("signin.go")}</button>
        <p className="quiet small">{t("signin.dev")}</p>
        <div className="languages">
          {LANGUAGES.map(({ id, name: label }) => (
            <button key={id} type="button" className="plain" lang={id} onClick={() => onLanguage(id)}>{label}</button>
          ))}
        </div>
      </form>
    </main>
  );
}
