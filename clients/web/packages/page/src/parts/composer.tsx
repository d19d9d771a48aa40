/** Where one writes. Enter sends, Shift+Enter breaks the line; what is not sent stays as a draft of the chat. */

import { select, type Chat, type Message } from "@adda/client";
import { useEffect, useLayoutEffect, useRef, useState, type DragEvent, type KeyboardEvent } from "react";

import { sameList, usePage, useView } from "../context.js";
import { t } from "../i18n/index.js";
import { draft, setDraft } from "../preferences.js";
import { size } from "../time.js";
import { Thumb } from "./attachments.js";
import { Emoji } from "./emoji.js";
import { Icon } from "./icons.js";
import { line } from "./say.js";

/** What the next message does: answers another, or changes it. */
export interface Wish {
  readonly kind: "reply" | "edit";
  readonly message: Message;
}

interface Props {
  readonly chat: Chat;
  readonly wish: Wish | null;
  onWish(wish: Wish | null): void;
  onSent(): void;
}

export function Composer({ chat, wish, onWish, onSent }: Props) {
  const { adda, attempt, toast } = usePage();
  const { chatId } = chat;
  const [text, setText] = useState(() => draft(adda.me, chatId));
  const [files, setFiles] = useState<readonly File[]>([]);
  const [emoji, setEmoji] = useState(false);
  const [over, setOver] = useState(false);
  const [mentions, setMentions] = useState<ReadonlySet<string>>(() => new Set());
  const area = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const limits = useView((state) => state.limits);
  const title = useView((state) => select.titleOf(state, chat));
  const mayAttach = limits.maxAttachmentBytes > 0;
  const named = useMention(chat, text, area);

  // What was sent stays a draft until it is on disk as a message.
  const leaving = useRef(0);
  useEffect(() => {
    if (wish?.kind !== "edit" && leaving.current === 0) setDraft(adda.me, chatId, text);
  }, [adda, chatId, text, wish]);
  useEffect(() => {
    if (!wish) return;
    if (wish.kind === "edit") {
      setText(wish.message.text);
      setMentions(new Set(wish.message.mentions));
    }
    area.current?.focus();
  }, [wish]);
  useEffect(() => {
    // A touch screen would bring up its keyboard.
    if (matchMedia("(hover: hover)").matches) area.current?.focus();
  }, []);
  useLayoutEffect(() => {
    const box = area.current!;
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 200)}px`;
  }, [text]);
  useEffect(() => () => adda.typing(chatId, false), [adda, chatId]);

  const add = (given: readonly File[]): void => {
    if (!mayAttach) return toast(t("error.missing"));
    const fit = given.filter((file) => {
      if (file.size <= limits.maxAttachmentBytes) return true;
      toast(t("composer.toolarge", { name: file.name, size: size(limits.maxAttachmentBytes) }));
      return false;
    });
    if (files.length + fit.length > limits.maxAttachments) toast(t("composer.toomany", { n: limits.maxAttachments }));
    setFiles([...files, ...fit].slice(0, limits.maxAttachments));
  };
  const write = (next: string): void => {
    setText(next);
    if (wish?.kind !== "edit") adda.typing(chatId, next.trim() !== "");
  };
  const insert = (what: string): void => {
    const box = area.current!;
    const [from, to] = [box.selectionStart, box.selectionEnd];
    write(text.slice(0, from) + what + text.slice(to));
    setEmoji(false);
    requestAnimationFrame(() => {
      box.focus();
      box.setSelectionRange(from + what.length, from + what.length);
    });
  };
  const cancel = (): void => {
    if (wish?.kind === "edit") setText("");
    onWish(null);
  };
  const send = (): void => {
    const said = text.trim();
    if (!said && files.length === 0) return;
    if (new TextEncoder().encode(said.normalize("NFC")).length > limits.maxTextBytes) return toast(t("composer.toolong"));
    const meant = [...mentions].filter((id) => said.includes(`@${id}`));
    if (wish?.kind === "edit") {
      const { message } = wish;
      void attempt("edit", () => adda.edit(message, said, meant)).then((done) => { if (done) cancel(); });
      return;
    }
    const reply = wish ? { replyTo: wish.message } : {};
    leaving.current++;
    adda.send(chatId, { text: said, mentions: meant, files, ...reply }).then(() => {
      if (--leaving.current === 0) setDraft(adda.me, chatId, area.current?.value ?? "");
    }, () => toast(t("error.network")));
    setText("");
    setFiles([]);
    setMentions(new Set());
    onWish(null);
    onSent();
    area.current?.focus();
  };
  const choose = (userId: string): void => {
    setMentions(new Set(mentions).add(userId));
    write(named.replace(userId));
    area.current?.focus();
  };
  const keys = (event: KeyboardEvent): void => {
    // While a word is being composed, as in Bengali, Enter ends the word.
    if (event.nativeEvent.isComposing) return;
    if (named.users.length > 0 && (event.key === "Tab" || event.key === "Enter")) {
      event.preventDefault();
      return choose(named.users[0]!);
    }
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape" && wish) {
      cancel();
    }
  };
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    add([...event.dataTransfer.files]);
  };

  return (
    <form className="composer" data-over={over} onSubmit={(event) => { event.preventDefault(); send(); }} onDrop={drop}
      onDragOver={(event) => { event.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)}>
      {wish && <Doing wish={wish} onCancel={cancel} />}
      {files.length > 0 && (
        <ul className="chosen">
          {files.map((file, i) => (
            <li key={i}><Thumb file={file} /><bdi>{file.name}</bdi><small className="quiet">{size(file.size)}</small>
              <button type="button" className="round small" aria-label={t("composer.remove", { name: file.name })}
                onClick={() => setFiles(files.filter((each) => each !== file))}><Icon name="close" /></button>
            </li>
          ))}
        </ul>
      )}
      {named.users.length > 0 && (
        <ul className="mentions" aria-label={t("composer.mention")}>
          {named.users.map((id) => (
            <li key={id}><button type="button" onClick={() => choose(id)}><bdi>{select.nameOf(adda.state, id)}</bdi>
              <small className="quiet">@{id}</small></button></li>
          ))}
        </ul>
      )}
      <div className="line">
        <button type="button" className="round" aria-label={t("composer.emoji")} aria-expanded={emoji}
          onClick={() => setEmoji(!emoji)}><Icon name="emoji" /></button>
        {mayAttach && wish?.kind !== "edit" && (
          <button type="button" className="round" aria-label={t("composer.attach")}
            onClick={() => picker.current?.click()}><Icon name="attach" /></button>
        )}
        <input ref={picker} type="file" multiple hidden onChange={({ target }) => {
          add([...(target.files ?? [])]);
          target.value = "";
        }} />
        <textarea ref={area} rows={1} dir="auto" value={text} placeholder={t("composer.placeholder")}
          aria-label={t("composer.label", { name: title })} onChange={(event) => write(event.target.value)}
          onKeyDown={keys} onBlur={() => adda.typing(chatId, false)} onPaste={(event) => {
            const pasted = [...event.clipboardData.files];
            if (pasted.length === 0) return;
            event.preventDefault();
            add(pasted);
          }} />
        <button type="submit" className="round primary" aria-label={t("composer.send")}
          disabled={!text.trim() && files.length === 0}><Icon name="send" /></button>
      </div>
      {emoji && <Emoji onChoose={insert} onClose={() => setEmoji(false)} />}
      {over && <p className="drop">{t("composer.drop")}</p>}
    </form>
  );
}

/** What the next message will do. */
function Doing({ wish, onCancel }: { wish: Wish; onCancel(): void }) {
  const { adda } = usePage();
  const { message } = wish;
  const name = message.senderId === adda.me ? t("message.you") : select.nameOf(adda.state, message.senderId);
  return (
    <div className="doing">
      <Icon name={wish.kind === "reply" ? "reply" : "pencil"} />
      <p>
        <strong>{wish.kind === "reply" ? t("composer.replying", { name }) : t("composer.editing")}</strong>
        <span dir="auto">{line(adda.state, message)}</span>
      </p>
      <button type="button" className="round small" aria-label={t("composer.cancel")} onClick={onCancel}>
        <Icon name="close" />
      </button>
    </div>
  );
}

/** Members whom the word at the caret may mean. */
function useMention(chat: Chat, text: string, area: { current: HTMLTextAreaElement | null }) {
  const caret = Math.min(area.current?.selectionStart ?? text.length, text.length) || text.length;
  const word = chat.kind === "group" ? /(?:^|\s)@([\p{L}\p{M}\p{N}_.:@-]*)$/u.exec(text.slice(0, caret))?.[1] : undefined;
  const users = useView((state) => {
    if (word === undefined) return [];
    const wanted = word.toLocaleLowerCase();
    return chat.members.map(({ userId }) => userId)
      .filter((id) => id !== state.me && id !== word
        && `${select.nameOf(state, id)}\n${id}`.toLocaleLowerCase().includes(wanted))
      .slice(0, 5);
  }, sameList);
  const replace = (userId: string): string =>
    `${text.slice(0, caret - (word?.length ?? 0))}${userId} ${text.slice(caret)}`;
  return { users, replace };
}
