/** Drawn here, so that nothing is loaded for them. All are decoration: what they stand on has its name. */

const paths = {
  send: "M3.4 20.4 21 12 3.4 3.6 3 10l11 2-11 2z",
  attach: "M20 11.5 12 19.4a5.2 5.2 0 0 1-7.4-7.4l8.3-8.2a3.5 3.5 0 0 1 5 5l-8.3 8.2a1.7 1.7 0 0 1-2.5-2.5l7.6-7.5",
  emoji: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM8.5 14.5a4.2 4.2 0 0 0 7 0M9 9.5v.01M15 9.5v.01",
  back: "m14.5 5-7 7 7 7",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM20 20l-4.8-4.8",
  close: "M6 6l12 12M18 6 6 18",
  pencil: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  settings: "M4 7h10M18 7h2M4 17h2M10 17h10M16 4.8v4.4M8 14.8v4.4",
  more: "M6 12v.01M12 12v.01M18 12v.01",
  reply: "M9 6 4 11l5 5M4 11h9a6 6 0 0 1 6 6v1",
  down: "m6 10 6 6 6-6",
  pin: "M9 4h6l-1 6 3 3H7l3-3zM12 13v7",
  mute: "M4 9.5v5h3.5L12 18V6L7.5 9.5zM16 9.5l4.5 5M20.5 9.5l-4.5 5",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  archive: "M4 7h16v3H4zM6 10v9h12v-9M10 14h4",
  bell: "M6 16.5h12l-1.6-2.4V10a4.4 4.4 0 0 0-8.8 0v4.1zM10.3 19.5a1.9 1.9 0 0 0 3.4 0",
  warn: "M12 4 3 19h18zM12 10v4M12 16.5v.01",
  clock: "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16ZM12 8v4l2.5 2",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  const filled = name === "send";
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" fill={filled ? "currentColor" : "none"}
      stroke={filled ? "none" : "currentColor"} strokeWidth={name === "more" ? 2.6 : 1.8} strokeLinecap="round"
      strokeLinejoin="round">
      <path d={paths[name]} />
    </svg>
  );
}

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 64 64" aria-hidden="true">
      <path d="M10 20a10 10 0 0 1 10-10h24a10 10 0 0 1 10 10v14a10 10 0 0 1-10 10H31L19 54V44a9 9 0 0 1-9-9z"
        fill="currentColor" />
      <circle cx="22" cy="27" r="3.4" fill="var(--ground)" />
      <circle cx="32" cy="27" r="3.4" fill="var(--ground)" />
      <circle cx="42" cy="27" r="3.4" fill="var(--ground)" />
    </svg>
  );
}

/** One tick, two, two in blue: shape and colour both say it, and so does the name. */
export function Ticks({ state, label }: { state: number; label: string }) {
  return (
    <svg className="ticks" data-state={state} viewBox="0 0 20 12" role="img" aria-label={label} fill="none"
      stroke="currentColor" strokeWidth="1.7" strokeLinecap="round" strokeLinejoin="round">
      {state >= 2 ? <path d="m1.5 6.5 3.2 3.2 7-8M9 8.6l1.2 1.1 7-8" /> : <path d="m5 6.5 3.2 3.2 7-8" />}
    </svg>
  );
}
