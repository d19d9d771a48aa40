/** How the user wants to be told: on this device, and, where the server keeps it, on all of them. */

import type { Preferences, QuietHours } from "@adda/client";
import { useEffect, useRef, useState } from "react";

import { usePage, useView } from "../context.js";
import { t } from "../i18n/index.js";
import { notify, setNotify, type Notify } from "../preferences.js";
import { weekday } from "../time.js";

export function Notifications() {
  const [held, hold] = useState<Notify>(notify);
  const [denied, setDenied] = useState(() => "Notification" in window && Notification.permission === "denied");
  const anywhere = useView((state) => state.preferences !== null);
  const change = (next: Notify): void => {
    setNotify(next);
    hold(next);
  };
  const turn = async (on: boolean): Promise<void> => {
    if (on && (!("Notification" in window) || (await Notification.requestPermission()) !== "granted")) {
      return setDenied(true);
    }
    change({ ...held, on });
  };
  return (
    <>
      <fieldset>
        <label className="check">
          <input type="checkbox" checked={held.on} onChange={(event) => void turn(event.target.checked)} />
          {t("settings.notify")}
        </label>
        {denied && <p className="quiet small" role="alert">{t("settings.notify.denied")}</p>}
        {held.on && !anywhere && (
          <div className="pair">
            <span>{t("settings.quiet")}</span>
            {(["from", "to"] as const).map((edge) => (
              <label key={edge}>{t(`settings.quiet.${edge}`)}
                <input type="time" value={held[edge]} onChange={(event) => change({ ...held, [edge]: event.target.value })} />
              </label>
            ))}
          </div>
        )}
      </fieldset>
      {anywhere && <Anywhere />}
    </>
  );
}

/** What is wished, before the server has it: changes go one after the other, the last of those that wait alone. */
function usePreferences(): readonly [Preferences | null, (part: Partial<Preferences>) => void] {
  const { adda, attempt } = usePage();
  const kept = useView((state) => state.preferences);
  const [shown, show] = useState<Preferences | null>(null);
  const wish = useRef<Preferences | null>(null);
  useEffect(() => void adda.preferences().catch(() => {}), [adda]);
  const send = async (): Promise<void> => {
    let sent: Preferences | null = null;
    let went = true;
    while (went && wish.current && wish.current !== sent) {
      const next: Preferences = wish.current;
      sent = next;
      went = await attempt(null, () => adda.preferences(next));
    }
    wish.current = null;
    show(null);
  };
  const change = (part: Partial<Preferences>): void => {
    const before = wish.current ?? adda.state.preferences;
    if (!before) return;
    const idle = wish.current === null;
    wish.current = { ...before, ...part };
    show(wish.current);
    if (idle) void send();
  };
  return [shown ?? kept, change];
}

function Anywhere() {
  const [held, change] = usePreferences();
  if (!held) return null;
  return (
    <fieldset>
      <legend>{t("settings.anywhere")}</legend>
      <Check on={!held.off} text={t("settings.tell")} onChange={(on) => change({ off: !on })} />
      {!held.off && (
        <>
          <Check on={!held.silent} text={t("settings.sound")} onChange={(on) => change({ silent: !on })} />
          <label>{t("settings.preview")}
            <select value={held.preview}
              onChange={(event) => change({ preview: event.target.value as Preferences["preview"] })}>
              {(["full", "sender", "none"] as const).map((each) => (
                <option key={each} value={each}>{t(`settings.preview.${each}`)}</option>
              ))}
            </select>
          </label>
          <Quiet held={held} onChange={change} />
        </>
      )}
    </fieldset>
  );
}

function Check({ on, text, onChange }: { on: boolean; text: string; onChange(on: boolean): void }) {
  return (
    <label className="check">
      <input type="checkbox" checked={on} onChange={(event) => onChange(event.target.checked)} />
      {text}
    </label>
  );
}

/** As many as the server takes. */
const MOST = 32;
const NIGHT: QuietHours = { weekdays: [], start: 22 * 60, end: 7 * 60 };

function Quiet({ held, onChange }: { held: Preferences; onChange(part: Partial<Preferences>): void }) {
  const { quietHours } = held;
  const replace = (at: number, ...by: QuietHours[]): void =>
    onChange({ quietHours: quietHours.flatMap((each, i) => (i === at ? by : [each])) });
  const add = (): void => onChange({
    quietHours: [...quietHours, NIGHT],
    // What the user means at first is the time where they are.
    ...(quietHours.length === 0 && !held.timeZone ? { timeZone: here() } : {}),
  });
  return (
    <>
      {quietHours.map((each, i) => (
        <Window key={i} hours={each} name={t("settings.quiet.which", { n: i + 1 })}
          onChange={(next) => replace(i, next)} onRemove={() => replace(i)} />
      ))}
      {quietHours.length > 0 && (
        <>
          <label>{t("settings.zone")}
            <select value={held.timeZone || "UTC"} onChange={(event) => onChange({ timeZone: event.target.value })}>
              {zones(held.timeZone || "UTC").map((zone) => <option key={zone}>{zone}</option>)}
            </select>
          </label>
          <Check on={held.mentionsPierce} text={t("settings.pierce")} onChange={(on) => onChange({ mentionsPierce: on })} />
        </>
      )}
      {quietHours.length < MOST && (
        <button type="button" className="plain add" onClick={add}>{t("settings.quiet.add")}</button>
      )}
    </>
  );
}

const WEEK = [1, 2, 3, 4, 5, 6, 7];

interface WindowProps {
  readonly hours: QuietHours;
  readonly name: string;
  onChange(next: QuietHours): void;
  onRemove(): void;
}

function Window({ hours, name, onChange, onRemove }: WindowProps) {
  const days = hours.weekdays.length > 0 ? hours.weekdays : WEEK;
  const turn = (day: number): void => {
    const next = WEEK.filter((each) => (each === day) !== days.includes(each));
    onChange({ ...hours, weekdays: next.length === WEEK.length ? [] : next });
  };
  return (
    <div className="window" role="group" aria-label={name}>
      <p className="small">{name}</p>
      <div className="pair">
        {(["start", "end"] as const).map((edge) => (
          <label key={edge}>{t(edge === "start" ? "settings.quiet.from" : "settings.quiet.to")}
            <input type="time" value={clockOf(hours[edge])} onChange={({ target }) => {
              // While it is typed it may be no time.
              if (target.value) onChange({ ...hours, [edge]: minutesOf(target.value) });
            }} />
          </label>
        ))}
      </div>
      <div className="days" role="group" aria-label={t("settings.quiet.days")}>
        {WEEK.map((day) => (
          <button key={day} type="button" aria-pressed={days.includes(day)}
            disabled={days.length === 1 && days.includes(day)} onClick={() => turn(day)}>
            <span aria-hidden="true">{weekday(day, false)}</span>
            <span className="hidden">{weekday(day, true)}</span>
          </button>
        ))}
      </div>
      <button type="button" className="plain" onClick={onRemove}>{t("settings.quiet.remove")}</button>
    </div>
  );
}

function clockOf(minutes: number): string {
  return [Math.floor(minutes / 60), minutes % 60].map((part) => `${part}`.padStart(2, "0")).join(":");
}

function minutesOf(clock: string): number {
  return Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3, 5));
}

function here(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

function zones(chosen: string): readonly string[] {
  return [...new Set([...Intl.supportedValuesOf("timeZone"), "UTC", here(), chosen])].sort();
}
