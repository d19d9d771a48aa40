/** Signing in, and the frame around everything: the inbox beside the conversation, one at a time where it is narrow. */

import { Adda, VERSION } from "@adda/client";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { forget, remember, remembered, token, type Account } from "./account.js";
import { PageContext, explain, isMissing, usePage, useView, type Feature, type Page } from "./context.js";
import { setLanguage, t, type Language } from "./i18n/index.js";
import { forgetDrafts } from "./preferences.js";
import { Banner } from "./parts/banner.js";
import { Conversation } from "./parts/conversation.js";
import { Inbox } from "./parts/inbox.js";
import { Live } from "./parts/live.js";
import { SignIn } from "./parts/sign-in.js";
import { Logo } from "./parts/icons.js";

export function App({ server }: { server: string }) {
  const [account, setAccount] = useState<Account | null>(remembered);
  const [language, choose] = useState<Language>(() => document.documentElement.lang as Language);
  const change = useCallback((next: Language) => {
    localStorage.setItem("adda.language", next);
    setLanguage(next);
    choose(next);
  }, []);
  const enter = (next: Account): void => {
    remember(next);
    setAccount(next);
  };
  const leave = useCallback(() => {
    forget();
    forgetDrafts();
    location.hash = "";
    setAccount(null);
  }, []);
  if (!account) return <SignIn key={language} server={server} onDone={enter} onLanguage={change} />;
  return <Signed key={account.user} {...{ server, account, language }} onLanguage={change} onLeave={leave} />;
}

interface SignedProps {
  readonly server: string;
  readonly account: Account;
  readonly language: Language;
  onLanguage(next: Language): void;
  onLeave(): void;
}

/** `#/c/<chat>`, so that a reload and the way back work. */
function chatInAddress(): string | null {
  const found = /^#\/c\/([A-Za-z0-9-]+)/.exec(location.hash);
  return found ? found[1]! : null;
}

function Signed({ server, account, language, onLanguage, onLeave }: SignedProps) {
  const [adda, setAdda] = useState<Adda | null>(null);
  const [chatId, setChatId] = useState<string | null>(chatInAddress);
  const [jump, setJump] = useState<{ seq: number; n: number } | null>(null);
  const [toasts, setToasts] = useState<readonly { id: number; text: string }[]>([]);
  const [missing, setMissing] = useState<ReadonlySet<Feature>>(() => new Set());
  const toastId = useRef(0);

  useEffect(() => {
    let gone = false;
    let opened: Adda | null = null;
    const source = ({ renew }: { renew: boolean }): Promise<string> => token(server, account, renew);
    void Adda.open({ server, user: account.user, token: source, client: `adda-page/${VERSION}` }).then((made) => {
      if (gone) return made.close();
      opened = made;
      // For tests and for who debugs.
      (window as unknown as { adda: Adda }).adda = made;
      setAdda(made);
    });
    return () => {
      gone = true;
      opened?.close();
    };
  }, [server, account]);

  useEffect(() => {
    const moved = (): void => setChatId(chatInAddress());
    window.addEventListener("hashchange", moved);
    return () => window.removeEventListener("hashchange", moved);
  }, []);

  const toast = useCallback((text: string) => {
    const id = ++toastId.current;
    setToasts((held) => [...held.slice(-2), { id, text }]);
    setTimeout(() => setToasts((held) => held.filter((each) => each.id !== id)), 6_000);
  }, []);

  const page = useMemo((): Page | null => adda && {
    adda,
    missing,
    toast,
    attempt: async (feature, how) => {
      try {
        await how();
        return true;
      } catch (cause) {
        if (feature && cause instanceof Error && "reason" in cause && isMissing(cause as never)) {
          setMissing((held) => new Set(held).add(feature));
        }
        toast(explain(cause));
        return false;
      }
    },
    openChat: (next, seq) => {
      const hash = next === null ? "" : `#/c/${next}`;
      if (location.hash !== hash) location.hash = hash;
      setChatId(next);
      setJump(seq === undefined ? null : { seq, n: Date.now() });
    },
    setLanguage: onLanguage,
    signOut: () => void adda.signOut().finally(onLeave),
  }, [adda, missing, toast, onLanguage, onLeave]);

  if (!page) return <div className="blank" aria-busy="true" />;
  return (
    <PageContext value={page}>
      <main className="frame" data-open={chatId !== null} key={language}>
        <Banner />
        <Inbox account={account} chatId={chatId} />
        {chatId ? <Conversation key={chatId} chatId={chatId} jump={jump} /> : <Nothing />}
        <Live chatId={chatId} />
        <Over onLeave={onLeave} />
        <div className="toasts" role="status">
          {toasts.map(({ id, text }) => <p key={id} className="toast">{text}</p>)}
        </div>
      </main>
    </PageContext>
  );
}

/** Beside the inbox, where it is wide, while no chat is open. */
function Nothing() {
  return (
    <section className="nothing">
      <Logo />
      <h2>{t("chat.none")}</h2>
      <p>{t("chat.none.hint")}</p>
    </section>
  );
}

/** Signed out by the server, or in another tab. */
function Over({ onLeave }: { onLeave(): void }) {
  const { toast } = usePage();
  const over = useView((state) => state.link.kind === "stopped" && state.link.reason === "signed-out");
  useEffect(() => {
    if (!over) return;
    toast(t("signin.over"));
    onLeave();
  }, [over, onLeave, toast]);
  return null;
}

