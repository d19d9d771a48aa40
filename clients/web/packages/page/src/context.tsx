/** The library under the page: one `Adda`, what it knows, what this device prefers, and how to say that something failed. */

import { AddaError, isMissing, type Adda, type State } from "@adda/client";
import { createContext, useCallback, useContext, useRef, useSyncExternalStore } from "react";

import { t } from "./i18n/index.js";

export type Feature = "react" | "edit" | "delete" | "search" | "settings" | "groups" | "people";

export interface Page {
  readonly adda: Adda;
  /** What the server was found not to have. */
  readonly missing: ReadonlySet<Feature>;
  /** Says something for a moment. */
  toast(text: string): void;
  /** Carries out what the user asked for, and says kindly if it failed. Answers whether it worked. */
  attempt(feature: Feature | null, how: () => Promise<unknown>): Promise<boolean>;
  openChat(chatId: string | null, seq?: number): void;
  setLanguage(language: "en" | "bn"): void;
  signOut(): void;
}

export const PageContext = createContext<Page | null>(null);

export function usePage(): Page {
  const page = useContext(PageContext);
  if (!page) throw new Error("outside of the page");
  return page;
}

export function useAdda(): Adda {
  return usePage().adda;
}

/** A part of the state; drawn again when it is another one. */
export function useView<T>(select: (state: State) => T, equal: (a: T, b: T) => boolean = Object.is): T {
  const adda = useAdda();
  const held = useRef<{ state: State; select: unknown; value: T } | null>(null);
  const subscribe = useCallback((listener: () => void) => adda.onChange(listener), [adda]);
  const snapshot = (): T => {
    const { state } = adda;
    const last = held.current;
    if (last && last.state === state && last.select === select) return last.value;
    const fresh = select(state);
    const value = last && equal(last.value, fresh) ? last.value : fresh;
    held.current = { state, select, value };
    return value;
  };
  return useSyncExternalStore(subscribe, snapshot);
}

/** Whether two lists have the same things in the same order. */
export function sameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}

/** What to tell the user about a failure: what to do, not what went wrong inside. */
export function explain(cause: unknown): string {
  if (!(cause instanceof AddaError)) return t("error.network");
  if (isMissing(cause)) return t("error.missing");
  switch (cause.reason) {
    case "NETWORK":
    case "STORE_UNAVAILABLE":
    case "SHUTTING_DOWN":
    case "TIMED_OUT":
      return t("error.network");
    case "BLOCKED":
      return t("error.blocked");
    case "ROLE_TOO_LOW":
    case "NOT_A_GROUP":
      return t("error.role");
    case "EDIT_WINDOW_OVER":
    case "MESSAGE_NOT_CHANGEABLE":
      return t("error.window");
    case "CHAT_NOT_FOUND":
    case "MESSAGE_NOT_FOUND":
    case "USER_NOT_FOUND":
    case "ATTACHMENT_NOT_FOUND":
      return t("error.gone");
    case "RATE_LIMITED":
    case "TOO_MANY_UPLOADS":
      return t("error.limited");
    case "ATTACHMENT_TYPE_REFUSED":
      return t("error.type");
    case "TOO_LARGE":
      return t("error.large");
    case "FIELD_INVALID":
      return t("error.field");
    case "TOO_MANY_CHATS":
    case "TOO_MANY_MEMBERS":
    case "TOO_MANY_REACTIONS":
    case "TOO_MANY_BLOCKS":
    case "CHAT_FULL":
      return t("error.full");
    default:
      return t("error.unknown", { id: cause.requestId || cause.reason });
  }
}

export { isMissing };
