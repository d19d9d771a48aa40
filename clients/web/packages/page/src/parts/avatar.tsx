import { useState } from "react";

/** A person or a group: its picture, or its first letters on one of a few calm colours that is always the same. */
export function Avatar({ id, name, url, online }: { id: string; name: string; url: string; online?: boolean }) {
  const [broken, setBroken] = useState("");
  const shown = url.startsWith("https://") && broken !== url;
  return (
    <span className="avatar" data-tone={tone(id)} aria-hidden="true">
      {shown
        ? <img src={url} alt="" loading="lazy" referrerPolicy="no-referrer" onError={() => setBroken(url)} />
        : <span>{initials(name || id)}</span>}
      {online !== undefined && <i className="dot" data-online={online} />}
    </span>
  );
}

/** Neighbours in name are to be no neighbours in colour. */
function tone(id: string): number {
  let hash = 2166136261;
  for (const char of id) hash = Math.imul(hash ^ char.codePointAt(0)!, 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 2246822507);
  return ((hash ^ (hash >>> 13)) >>> 0) % 8;
}

const segments = new Intl.Segmenter(undefined, { granularity: "grapheme" });

function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter((word) => /^[\p{L}\p{N}]/u.test(word));
  const first = (word: string | undefined): string => {
    const [whole] = word ? segments.segment(word) : [];
    return whole?.segment.toLocaleUpperCase() ?? "";
  };
  return first(words[0]) + (words.length > 1 ? first(words[words.length - 1]) : "");
}
