/** The list of notifications and how a user wants to be told: from the contract to plain values and back, and reading both. */

import type { MessageInitShape } from "@bufbuild/protobuf";

import type { NotificationCreated } from "./gen/adda/v1/event_pb.js";
import { NotificationKind, NotificationLevel, NotificationPreview, type Notification,
  type NotificationPreferences, type NotificationPreferencesSchema } from "./gen/adda/v1/notification_pb.js";
import type { Level, Notice, NoticeKind, Preferences } from "./model.js";
import type { Input } from "./reduce.js";
import type { Core } from "./session/core.js";
import { readNames } from "./session/mend.js";
import { timeOf } from "./translate.js";

const KINDS: Partial<Record<NotificationKind, NoticeKind>> = {
  [NotificationKind.MESSAGES]: "messages", [NotificationKind.MENTION]: "mention", [NotificationKind.REACTION]: "reaction",
  [NotificationKind.ADDED]: "added", [NotificationKind.ANNOUNCEMENT]: "announcement",
};

/** None of a kind that is not known here. */
function noticesOf(list: readonly Notification[]): Notice[] {
  return list.flatMap((each) => {
    const kind = KINDS[each.kind];
    if (!kind) return [];
    const { notificationId: noticeId, chatId, seq, actorId, count, emoji, read } = each;
    return [{ noticeId, kind, chatId, seq, actorId, count, emoji, read, updatedAt: timeOf(each.updatedAt) }];
  });
}

/** Where it neither has a notification nor names one, several were read. */
export function noticed({ notificationId, notification, unreadNotifications }: NotificationCreated): Input {
  const read = !notification && notificationId ? [notificationId] : [];
  return { type: "notices", notices: notification ? noticesOf([notification]) : [], read, unread: unreadNotifications };
}

const PAGE = 30;

/** Reads a page of the list, newest first; answers the token of the next one. */
export async function readNotices(core: Core, pageToken = ""): Promise<string> {
  const { calls } = core;
  const answer = await calls.call((options) => calls.notices.listNotifications({ pageSize: PAGE, pageToken }, options));
  const unread = answer.unreadCount ?? null;
  core.moment([{ type: "notices", notices: noticesOf(answer.notifications), read: [], unread }]);
  await readNames(core, answer.notifications.map(({ actorId }) => actorId));
  return answer.nextPageToken;
}

const PREVIEWS = { full: NotificationPreview.FULL, sender: NotificationPreview.SENDER, none: NotificationPreview.NONE } as const;

export function preferencesOf(told: NotificationPreferences): Preferences {
  const { off, silent, timeZone, mentionsPierce, revision } = told;
  return {
    off, silent, timeZone, mentionsPierce, revision,
    preview: told.preview === NotificationPreview.SENDER ? "sender"
      : told.preview === NotificationPreview.NONE ? "none" : "full",
    quietHours: told.quietHours.map(({ weekdays, startMinute, endMinute }) =>
      ({ weekdays: [...weekdays], start: startMinute, end: endMinute })),
  };
}

export function preferencesFor(wish: Omit<Preferences, "revision">): MessageInitShape<typeof NotificationPreferencesSchema> {
  const { off, silent, timeZone, mentionsPierce } = wish;
  return {
    off, silent, timeZone, mentionsPierce,
    preview: PREVIEWS[wish.preview],
    quietHours: wish.quietHours.map(({ weekdays, start, end }) =>
      ({ weekdays: [...weekdays], startMinute: start, endMinute: end })),
  };
}

/** Reads how the user wants to be told. */
export async function readPreferences(core: Core): Promise<void> {
  const { preferences } = await core.calls.call((options) => core.calls.notices.getPreferences({}, options));
  if (preferences) core.moment([{ type: "preferences", preferences: preferencesOf(preferences) }]);
}

export const LEVELS = {
  all: NotificationLevel.ALL, mentions: NotificationLevel.MENTIONS, none: NotificationLevel.NONE,
} as const;

export function levelOf(level: NotificationLevel): Level {
  if (level === NotificationLevel.MENTIONS) return "mentions";
  return level === NotificationLevel.NONE ? "none" : "all";
}
