/** Times as people say them, in the reader's language. */

import { locale, t } from "./i18n/index.js";

const DAY = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();

function format(name: string, options: Intl.DateTimeFormatOptions, at: number): string {
  const key = `${locale()} ${name}`;
  let made = formats.get(key);
  if (!made) formats.set(key, (made = new Intl.DateTimeFormat(locale(), options)));
  return made.format(at);
}

/** Midnight of the day, by the reader's clock. */
export function dayOf(at: number): number {
  const date = new Date(at);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

export function clock(at: number): string {
  // Bengali tells the part of the day, not AM and PM.
  const period = locale().startsWith("bn") ? { dayPeriod: "short" as const } : {};
  return format("clock", { hour: "numeric", minute: "2-digit", ...period }, at);
}

/** A separator between days. */
export function day(at: number, now: number): string {
  const days = Math.round((dayOf(now) - dayOf(at)) / DAY);
  if (days === 0) return t("day.today");
  if (days === 1) return t("day.yesterday");
  if (days > 1 && days < 7) return format("weekday", { weekday: "long" }, at);
  return new Date(at).getFullYear() === new Date(now).getFullYear()
    ? format("date", { day: "numeric", month: "long" }, at)
    : format("long date", { day: "numeric", month: "long", year: "numeric" }, at);
}

/** In an inbox: as short as can be. */
export function brief(at: number, now: number): string {
  const days = Math.round((dayOf(now) - dayOf(at)) / DAY);
  if (days <= 0) return clock(at);
  if (days === 1) return t("day.yesterday");
  if (days < 7) return format("short weekday", { weekday: "short" }, at);
  return new Date(at).getFullYear() === new Date(now).getFullYear()
    ? format("short date", { day: "numeric", month: "short" }, at)
    : format("numeric", { day: "2-digit", month: "2-digit", year: "2-digit" }, at);
}

/** How long ago, or when. */
export function ago(at: number, now: number): string {
  const minutes = Math.round((now - at) / 60_000);
  const relative = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" });
  if (minutes < 1) return t("when.now");
  if (minutes < 60) return relative.format(-minutes, "minute");
  if (minutes < 12 * 60) return relative.format(-Math.round(minutes / 60), "hour");
  const days = Math.round((dayOf(now) - dayOf(at)) / DAY);
  return days <= 1 ? `${day(at, now)} ${clock(at)}` : day(at, now);
}

/** A day of the week, Monday 1 to Sunday 7. */
export function weekday(day: number, long: boolean): string {
  // The first day of 2024 was a Monday. What is short in Bengali is too long for a button.
  const at = new Date(2024, 0, day).getTime();
  if (long) return format("weekday", { weekday: "long" }, at);
  return locale().startsWith("bn") ? format("narrow weekday", { weekday: "narrow" }, at)
    : format("short weekday", { weekday: "short" }, at);
}

/** Whole: for those who hover, and for machines. */
export function full(at: number): string {
  return format("full", { dateStyle: "full", timeStyle: "short" }, at);
}

export function size(bytes: number): string {
  const unit = bytes >= 1e6 ? "megabyte" : "kilobyte";
  const value = bytes >= 1e6 ? bytes / 1e6 : Math.max(1, bytes / 1e3);
  return new Intl.NumberFormat(locale(), {
    style: "unit", unit, unitDisplay: "short", maximumFractionDigits: value < 10 ? 1 : 0,
  }).format(value);
}
