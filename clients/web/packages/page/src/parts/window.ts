/**
 * A window onto a long list. A chat's messages are numbered without a hole, so the whole list is known before any of
 * it is: what is above and below the window is empty room of about the right height, and scrolling into it moves the
 * window there.
 *
 * What the reader looks at stays where it is, whatever is loaded, grows or comes above it: after each change the row at
 * the top of the screen is put back to its place, or the end of the list to the bottom, if that was in sight.
 */

import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";

/** About the height of a row, in pixels: of those that are not drawn. */
export const ROW = 64;
/** Rows drawn beyond the screen, on either side. */
const BEYOND = 50;
/** So near to the window's end the window moves. */
const NEAR = 20;
/** So near to the end of the list the reader follows it. */
const END = 80;

export interface Window {
  readonly box: RefObject<HTMLDivElement | null>;
  readonly content: RefObject<HTMLDivElement | null>;
  readonly first: number;
  readonly last: number;
  readonly atNewest: boolean;
  onScroll(): void;
  toNewest(): void;
  toSeq(seq: number): void;
}

type Anchor = { readonly kind: "end" } | { readonly kind: "row"; readonly seq: number; readonly top: number };

/** `first` to `last` is the whole list; it opens at `openAt`, or at its end. `seen` is told what is on screen. */
export function useWindow(
  first: number,
  last: number,
  openAt: number | null,
  seen: (from: number, to: number) => void,
): Window {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState(() => around(openAt ?? last, openAt ?? last, first, last));
  const [atNewest, setAtNewest] = useState(openAt === null);
  const anchor = useRef<Anchor>(openAt === null ? { kind: "end" } : { kind: "row", seq: openAt, top: 96 });
  const follow = anchor.current.kind === "end";
  // Who follows the end has it in the window.
  const shown = follow && range.last < last ? around(last, last, first, last) : clamp(range, first, last);

  const restore = useCallback((): void => {
    const scroller = box.current;
    if (!scroller) return;
    const { current } = anchor;
    if (current.kind === "end") {
      scroller.scrollTop = scroller.scrollHeight;
      return;
    }
    const row = scroller.querySelector(`[data-place="${current.seq}"]`);
    if (!row) return;
    const top = row.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
    if (Math.abs(top - current.top) > 0.5) scroller.scrollTop += top - current.top;
  }, []);

  /** Who has the end in sight follows it from then on, also where there is nothing to scroll. */
  const settle = useCallback((): void => {
    const scroller = box.current!;
    const below = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    if (below >= END || shown.last < last || scroller.querySelector(".skeleton")) return;
    anchor.current = { kind: "end" };
    setAtNewest(true);
  }, [last, shown.last]);

  /** What is on screen, from the rows that are drawn. */
  const look = useCallback((): { from: number; to: number; anchor: Anchor } | null => {
    const scroller = box.current!;
    const screen = scroller.getBoundingClientRect();
    let [from, to, top] = [0, 0, 0];
    for (const row of scroller.querySelectorAll<HTMLElement>("[data-place]")) {
      const rect = row.getBoundingClientRect();
      if (rect.bottom <= screen.top + 1) continue;
      if (rect.top >= screen.bottom - 1) break;
      const seq = Number(row.dataset["place"]);
      if (from === 0) [from, top] = [seq, rect.top - screen.top];
      // Seen is what is seen whole, or what is larger than the screen.
      if (rect.bottom <= screen.bottom + 24 || rect.height > screen.height) to = seq;
    }
    return from === 0 ? null : { from, to, anchor: { kind: "row", seq: from, top } };
  }, []);

  const tell = useCallback((): void => {
    const sight = look();
    if (sight && sight.to >= sight.from) seen(sight.from, sight.to);
  }, [look, seen]);

  const onScroll = useCallback((): void => {
    const scroller = box.current!;
    const below = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    const end = below < END && shown.last >= last;
    setAtNewest(end);
    const sight = look();
    if (!sight) {
      // In the room that is not drawn: about which rows would be here?
      const at = Math.min(last, Math.max(first, first + Math.floor(scroller.scrollTop / ROW)));
      anchor.current = { kind: "row", seq: at, top: 0 };
      setRange(around(at, at, first, last));
      return;
    }
    anchor.current = end ? { kind: "end" } : sight.anchor;
    const nearTop = sight.from - shown.first < NEAR && shown.first > first;
    const nearEnd = shown.last - Math.max(sight.to, sight.from) < NEAR && shown.last < last;
    if (nearTop || nearEnd) setRange(around(sight.from, Math.max(sight.from, sight.to), first, last));
    tell();
  }, [first, last, look, shown.first, shown.last, tell]);

  useLayoutEffect(restore);
  useEffect(() => {
    settle();
    tell();
  });
  useEffect(() => {
    const changed = (): void => restore();
    const sizes = new ResizeObserver(changed);
    sizes.observe(content.current!);
    sizes.observe(box.current!);
    const back = (): void => tell();
    window.addEventListener("focus", back);
    document.addEventListener("visibilitychange", back);
    return () => {
      sizes.disconnect();
      window.removeEventListener("focus", back);
      document.removeEventListener("visibilitychange", back);
    };
  }, [restore, tell]);

  const toNewest = useCallback((): void => {
    anchor.current = { kind: "end" };
    setRange(around(last, last, first, last));
    setAtNewest(true);
    restore();
  }, [first, last, restore]);
  const toSeq = useCallback((seq: number): void => {
    const at = Math.min(Math.max(seq, first), last);
    anchor.current = { kind: "row", seq: at, top: Math.min(160, (box.current?.clientHeight ?? 400) / 3) };
    setRange(around(at, at, first, last));
    setAtNewest(false);
    requestAnimationFrame(restore);
  }, [first, last, restore]);

  return { box, content, ...shown, atNewest, onScroll, toNewest, toSeq };
}

interface Range {
  readonly first: number;
  readonly last: number;
}

function around(from: number, to: number, first: number, last: number): Range {
  return clamp({ first: from - BEYOND, last: to + BEYOND }, first, last);
}

function clamp(range: Range, first: number, last: number): Range {
  return { first: Math.max(first, range.first), last: Math.min(last, Math.max(range.last, first - 1)) };
}
