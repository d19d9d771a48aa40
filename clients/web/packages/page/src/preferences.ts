/** What this device prefers. Kept here and nowhere else. */

export type Theme = "auto" | "light" | "dark";

export interface Notify {
  readonly on: boolean;
  /** `HH:MM`; the same twice: no quiet hours. */
  readonly from: string;
  readonly to: string;
}

const QUIET: Notify = { on: false, from: "22:00", to: "07:00" };

export function theme(): Theme {
  const held = localStorage.getItem("adda.theme");
  return held === "light" || held === "dark" ? held : "auto";
}

export function setTheme(next: Theme): void {
  localStorage.setItem("adda.theme", next);
  applyTheme();
}

export function applyTheme(): void {
  const { dataset } = document.documentElement;
  const chosen = theme();
  if (chosen === "auto") delete dataset["theme"];
  else dataset["theme"] = chosen;
}

export function notify(): Notify {
  try {
    return { ...QUIET, ...(JSON.parse(localStorage.getItem("adda.notify") ?? "{}") as Partial<Notify>) };
  } catch {
    return QUIET;
  }
}

export function setNotify(next: Notify): void {
  localStorage.setItem("adda.notify", JSON.stringify(next));
}

/** Whether it is quiet now; the hours may run over midnight. */
export function isQuiet({ from, to }: Notify, now: Date): boolean {
  const minutes = (at: string): number => Number(at.slice(0, 2)) * 60 + Number(at.slice(3, 5));
  const [start, end, at] = [minutes(from), minutes(to), now.getHours() * 60 + now.getMinutes()];
  return start <= end ? at >= start && at < end : at >= start || at < end;
}

/** What was typed and not sent, a chat. */
export function draft(user: string, chatId: string): string {
  return localStorage.getItem(`adda.draft ${user} ${chatId}`) ?? "";
}

export function setDraft(user: string, chatId: string, text: string): void {
  const key = `adda.draft ${user} ${chatId}`;
  if (text.trim()) localStorage.setItem(key, text);
  else localStorage.removeItem(key);
}

export function forgetDrafts(): void {
  for (const key of Object.keys(localStorage)) if (key.startsWith("adda.draft ")) localStorage.removeItem(key);
}
