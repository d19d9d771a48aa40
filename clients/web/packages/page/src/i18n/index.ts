/** What the page says, in the reader's language. The language is one of this page's two, as chosen or as the browser's. */

import { bn } from "./bn.js";
import { en, type Key } from "./en.js";

export type { Key } from "./en.js";
export type Language = "en" | "bn";

const CATALOGUES: Record<Language, Record<string, string>> = { en, bn };
export const LANGUAGES: readonly { id: Language; name: string }[] = [
  { id: "en", name: "English" },
  { id: "bn", name: "বাংলা" },
];

let language: Language = "en";
let plurals = new Intl.PluralRules(language);
let numbers = new Intl.NumberFormat(language);

export function preferred(): Language {
  const held = localStorage.getItem("adda.language");
  if (held === "en" || held === "bn") return held;
  return navigator.languages.some((each) => each.toLowerCase().startsWith("bn")) ? "bn" : "en";
}

export function setLanguage(next: Language): void {
  language = next;
  plurals = new Intl.PluralRules(next);
  numbers = new Intl.NumberFormat(locale());
  document.documentElement.lang = next;
}

export function currentLanguage(): Language {
  return language;
}

/** With the reader's country, where the browser names one: for times and numbers. */
export function locale(): string {
  return navigator.languages.find((each) => each.toLowerCase().split("-")[0] === language) ?? language;
}

export function number(n: number): string {
  return numbers.format(n);
}

/** The text of a key; `{name}` in it is replaced, and `n` chooses between one and many. */
export function t(key: Key, vars: Record<string, string | number> = {}): string {
  const catalogue = CATALOGUES[language];
  const n = vars["n"];
  const form = typeof n === "number" ? `${key}_${plurals.select(n) === "one" ? "one" : "other"}` : key;
  const text = catalogue[form] ?? catalogue[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = vars[name];
    return value === undefined ? whole : typeof value === "number" ? number(value) : value;
  });
}
