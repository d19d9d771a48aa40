/** Text is text, never HTML. Links are found in it and open without telling where they were; names are marked. */

import type { Message, State } from "@adda/client";
import { select } from "@adda/client";
import { Fragment, type ReactNode } from "react";

const LINK = /\bhttps?:\/\/[^\s<>"'\u202a-\u202e\u2066-\u2069]+/giu;
/** What ends a sentence does not belong to the link in it. */
const TAIL = /[.,:;!?)\]}'"’”।]+$/u;

export function Text({ state, message }: { state: State; message: Pick<Message, "text" | "mentions"> }) {
  return <>{linked(message.text, (part) => named(state, part, message.mentions))}</>;
}

function linked(text: string, rest: (part: string) => ReactNode): ReactNode[] {
  const out: ReactNode[] = [];
  let at = 0;
  for (const found of text.matchAll(LINK)) {
    const whole = found[0].replace(TAIL, "");
    if (!URL.canParse(whole)) continue;
    out.push(<Fragment key={`t${at}`}>{rest(text.slice(at, found.index))}</Fragment>);
    out.push(
      <a key={`l${found.index}`} href={whole} target="_blank" rel="noopener noreferrer nofollow">
        <bdi>{whole}</bdi>
      </a>,
    );
    at = found.index + whole.length;
  }
  out.push(<Fragment key={`t${at}`}>{rest(text.slice(at))}</Fragment>);
  return out;
}

function named(state: State, text: string, mentions: readonly string[]): ReactNode {
  if (mentions.length === 0) return text;
  const ids = [...mentions].sort((a, b) => b.length - a.length).map((id) => id.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const parts = text.split(new RegExp(`@(${ids.join("|")})`, "u"));
  return parts.map((part, i) =>
    (i % 2 === 1 ? <b key={i} className="mention"><bdi>@{select.nameOf(state, part)}</bdi></b> : part));
}

/** Only emoji, and few: they are shown large. */
export function isEmojiOnly(text: string): boolean {
  if (text.length > 40) return false;
  const bare = text.replace(/\s/gu, "");
  if (!/^(?:\p{Extended_Pictographic}|\p{Emoji_Component}|\u200d|\ufe0f)+$/u.test(bare)) return false;
  if (!/\p{Extended_Pictographic}|\p{Regional_Indicator}/u.test(bare)) return false;
  return [...new Intl.Segmenter().segment(bare)].length <= 3;
}
