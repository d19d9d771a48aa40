import { t } from "../i18n/index.js";

/** What a tick says, for who does not see it. */
export function tickName(state: number): string {
  if (state >= 3) return t("tick.seen");
  if (state === 2) return t("tick.delivered");
  return state === 1 ? t("tick.sent") : t("tick.waiting");
}
