/** What a message comes to in a line, for previews, quotations and screen readers. */

import { select, type Message, type State } from "@adda/client";

import { locale, t } from "../i18n/index.js";

/** Names of several people, as the language lists them. */
export function names(state: State, userIds: readonly string[]): string {
  const list = userIds.map((id) => who(state, id));
  return new Intl.ListFormat(locale(), { style: "long", type: "conjunction" }).format(list);
}

function who(state: State, userId: string): string {
  return userId === state.me ? t("note.you") : select.nameOf(state, userId);
}

/** A note about the chat; one of a kind that is not known here says it itself. */
export function note(state: State, message: Message): string {
  const { note: told } = message;
  if (!told || told.kind === "unknown" || told.kind === "announcement") return message.text;
  const actor = told.actorId ? who(state, told.actorId) : t("app.name");
  const text = t(`note.${told.kind}`, { actor, users: names(state, told.userIds), title: told.title });
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}

/** Names in the place of `@id`. */
export function withNames(state: State, message: Pick<Message, "text" | "mentions">): string {
  let { text } = message;
  for (const id of [...message.mentions].sort((a, b) => b.length - a.length)) {
    text = text.replaceAll(`@${id}`, `@${select.nameOf(state, id)}`);
  }
  return text;
}

/** One line: what the message says, or what it carries. */
export function line(state: State, message: Message): string {
  if (message.deletedAt > 0) return t("preview.deleted");
  if (message.hidden) return t("preview.hidden");
  if (message.note) return note(state, message);
  if (message.text) return withNames(state, message).replace(/\s+/g, " ").slice(0, 200);
  const kind = message.kind === "image" ? "image" : message.kind === "media" ? "media" : "doc";
  return t(`preview.${kind}`);
}
