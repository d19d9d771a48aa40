import { useEffect, useId, useRef, type ReactNode } from "react";

import { t } from "../i18n/index.js";
import { Icon } from "./icons.js";

/** The browser's own dialog: it keeps the focus inside, Escape closes it, and the focus goes back where it was. */
export function Dialog({ title, onClose, children }: { title: string; onClose(): void; children: ReactNode }) {
  const box = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const { current } = box;
    current?.showModal();
    return () => current?.close();
  }, []);
  return (
    <dialog ref={box} aria-labelledby={id} onClose={onClose}
      onClick={(event) => { if (event.target === box.current) box.current.close(); }}>
      <div className="dialog">
        <header className="bar">
          <h2 id={id}>{title}</h2>
          <button type="button" className="round" aria-label={t("dialog.close")} onClick={() => box.current?.close()}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
