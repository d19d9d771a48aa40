import { useEffect, useState } from "react";

import { useAdda, useView } from "../context.js";
import { t } from "../i18n/index.js";

/** A stream that comes back soon is nobody's concern. */
const PATIENCE = 1_500;

/** How it stands with the connection, while it does not stand well. */
export function Banner() {
  const adda = useAdda();
  const link = useView((state) => state.link);
  const [late, setLate] = useState(false);
  const [online, setOnline] = useState(() => navigator.onLine);
  const down = link.kind !== "up";
  useEffect(() => {
    setLate(false);
    if (!down) return;
    const timer = setTimeout(() => setLate(true), PATIENCE);
    return () => clearTimeout(timer);
  }, [down]);
  useEffect(() => {
    const look = (): void => setOnline(navigator.onLine);
    window.addEventListener("online", look);
    window.addEventListener("offline", look);
    return () => {
      window.removeEventListener("online", look);
      window.removeEventListener("offline", look);
    };
  }, []);

  let text = "";
  let action: [string, () => void] | null = null;
  if (link.kind === "stopped") {
    if (link.reason === "superseded") [text, action] = [t("banner.superseded"), [t("banner.here"), () => adda.wake()]];
    else if (link.reason === "too-old") {
      [text, action] = [t("banner.too-old"), [t("banner.reload"), () => location.reload()]];
    } else if (link.reason === "refused") {
      [text, action] = [t("banner.refused"), [t("banner.retry"), () => adda.wake()]];
    }
  } else if (!online) {
    text = t("banner.offline");
  } else if (down && late) {
    text = link.kind === "waiting" ? t("banner.waiting") : t("banner.connecting");
    if (link.kind === "waiting") action = [t("banner.retry"), () => adda.wake()];
  }
  return (
    <div className="banner-place" role="status">
      {text && (
        <div className="banner" data-link={link.kind}>
          <span>{text}</span>
          {action && <button type="button" className="plain" onClick={action[1]}>{action[0]}</button>}
        </div>
      )}
    </div>
  );
}
