/** Whether a message may ring on this device, by the rules that pushes go by. Pure. */

import type { Message, Preferences } from "./model.js";
import { counts } from "./reduce.js";
import { levelOf } from "./select.js";
import { messageAt, type State } from "./state.js";

/** How it rings. */
export interface Ring {
  readonly silent: boolean;
  readonly preview: Preferences["preview"];
}

/** `null`: it does not. Without known preferences: aloud, with everything. */
export function rings(state: State, message: Message, now: number): Ring | null {
  const chat = state.chats.get(message.chatId);
  if (!chat || message.senderId === state.me || !counts(message)) return null;
  if (chat.settings.mutedUntil > now || state.blocks.get(message.senderId)?.blocked) return null;
  const mentioned = message.mentions.includes(state.me);
  const answered = message.replyToSeq > 0
    && messageAt(state, message.chatId, message.replyToSeq)?.senderId === state.me;
  const level = levelOf(chat, now);
  if (level === "none" || (level === "mentions" && !mentioned && !answered)) return null;
  const { preferences } = state;
  if (!preferences) return { silent: false, preview: "full" };
  if (preferences.off) return null;
  if (isQuiet(preferences, now) && !(mentioned && preferences.mentionsPierce)) return null;
  return { silent: preferences.silent, preview: preferences.preview };
}

const DAY = 24 * 60;
const WEEK = 7 * DAY;
const NAMES = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const EVERY = [1, 2, 3, 4, 5, 6, 7];

/** Whether the clock on the wall of that time zone shows a quiet minute. */
export function isQuiet({ quietHours, timeZone }: Preferences, now: number): boolean {
  if (quietHours.length === 0) return false;
  const minute = minuteOfWeek(timeZone, now);
  return quietHours.some(({ weekdays, start, end }) => {
    const lasts = end > start ? end - start : end + DAY - start;
    const days = weekdays.length > 0 ? weekdays : EVERY;
    return days.some((day) => (minute + WEEK - ((day - 1) * DAY + start)) % WEEK < lasts);
  });
}

/** Minutes since Monday at midnight. */
function minuteOfWeek(timeZone: string, now: number): number {
  const parts = wall(timeZone).formatToParts(now);
  const part = (type: string): string => parts.find((each) => each.type === type)?.value ?? "";
  return NAMES.indexOf(part("weekday")) * DAY + Number(part("hour")) * 60 + Number(part("minute"));
}

function wall(timeZone: string): Intl.DateTimeFormat {
  const options = { weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  try {
    return new Intl.DateTimeFormat("en", { ...options, timeZone: timeZone || "UTC" });
  } catch {
    // One that this browser does not know.
    return new Intl.DateTimeFormat("en", { ...options, timeZone: "UTC" });
  }
}
