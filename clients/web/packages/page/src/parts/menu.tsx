import { useEffect, useLayoutEffect, useRef, type KeyboardEvent, type ReactNode } from "react";

export interface Item {
  readonly label: string;
  readonly danger?: boolean;
  do(): void;
}

interface Props {
  readonly label: string;
  readonly items: readonly Item[];
  /** Where it hangs. */
  readonly at: DOMRect;
  /** Above the items. */
  readonly head?: ReactNode;
  onClose(): void;
}

/** A menu beside what it belongs to: arrows move, Escape and a click elsewhere close it. */
export function Menu({ label, items, at, head, onClose }: Props) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const menu = box.current!;
    const { width, height } = menu.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.right - width), innerWidth - width - 8);
    const below = at.bottom + height + 8 < innerHeight;
    menu.style.left = `${left}px`;
    menu.style.top = `${Math.max(8, below ? at.bottom + 4 : at.top - height - 4)}px`;
    menu.querySelector<HTMLElement>("button")?.focus();
  }, [at]);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    const outside = (event: Event): void => { if (!box.current?.contains(event.target as Node)) onClose(); };
    document.addEventListener("pointerdown", outside, true);
    window.addEventListener("resize", onClose);
    return () => {
      document.removeEventListener("pointerdown", outside, true);
      window.removeEventListener("resize", onClose);
      if (!document.activeElement || document.activeElement === document.body) before?.focus();
    };
  }, [onClose]);
  const keys = (event: KeyboardEvent): void => {
    const buttons = [...box.current!.querySelectorAll<HTMLElement>("button")];
    const here = buttons.indexOf(document.activeElement as HTMLElement);
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      buttons[(here + step + buttons.length) % buttons.length]?.focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      event.stopPropagation();
      onClose();
    }
  };
  return (
    <div ref={box} className="menu" role="menu" aria-label={label} onKeyDown={keys}>
      {head}
      {items.map((item) => (
        <button key={item.label} type="button" role="menuitem" data-danger={item.danger ?? false}
          onClick={() => { onClose(); item.do(); }}>
          {item.label}
        </button>
      ))}
    </div>
  );
}
