import { useEffect, useRef, type KeyboardEvent } from "react";

import { t } from "../i18n/index.js";

const GROUPS = [
  ["emoji.faces", "😀 😃 😄 😁 😆 😅 🤣 😂 🙂 🙃 😉 😊 😇 🥰 😍 🤩 😘 😚 😋 😛 😜 🤪 🤗 🤭 🤫 🤔 🤐 😐 😏 😒 🙄 😬 😌 😔 😪 😴 😷 🤒 🤕 🤧 🥵 🥶 😵 🤯 🥳 😎 🤓 🧐 😕 😟 🙁 😮 😲 😳 🥺 😨 😰 😢 😭 😱 😖 😞 😓 😩 🥱 😤 😡 🤬 💀"],
  ["emoji.hands", "👋 🤚 ✋ 👌 🤏 ✌️ 🤞 🤟 🤘 👈 👉 👆 👇 👍 👎 ✊ 👊 👏 🙌 👐 🤝 🙏 💪 ❤️ 🧡 💛 💚 💙 💜 🖤 🤍 💔 💯 💥 ✨ 🎉"],
  ["emoji.nature", "🐶 🐱 🐭 🐰 🦊 🐻 🐼 🐯 🦁 🐮 🐵 🐔 🐧 🐦 🦋 🐟 🌸 🌹 🌻 🌳 🌴 🌙 ⭐ 🌈 ☀️ 🌧️ ❄️ 🔥 🍎 🥭 🍌 🍇 🍉 🍋 🍅 🌶️ 🍞 🍚 🍛 🍜 🍕 🍔 🍟 🍰 🎂 🍫 🍵 ☕ 🍺 🥂"],
  ["emoji.things", "⚽ 🏏 🏀 🎮 🎲 🎵 🎸 🎬 📷 📱 💻 💡 📚 ✏️ 📎 📌 📅 ⏰ 🔑 🔒 🎁 💰 🚗 🚌 🚲 ✈️ 🚀 🏠 🏥 🏫 ✅ ❌ ❓ ❗ ⚠️ 🆗"],
] as const;

/** Emoji to choose from: arrows move, Escape closes. */
export function Emoji({ onChoose, onClose }: { onChoose(emoji: string): void; onClose(): void }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    box.current?.querySelector<HTMLElement>("button")?.focus();
    const outside = (event: Event): void => { if (!box.current?.contains(event.target as Node)) onClose(); };
    document.addEventListener("pointerdown", outside, true);
    return () => document.removeEventListener("pointerdown", outside, true);
  }, [onClose]);
  const keys = (event: KeyboardEvent): void => {
    if (event.key === "Escape") {
      event.stopPropagation();
      return onClose();
    }
    const buttons = [...box.current!.querySelectorAll<HTMLElement>("button")];
    const here = buttons.indexOf(document.activeElement as HTMLElement);
    const across = Math.max(1, Math.floor((box.current!.clientWidth - 16) / 40));
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key];
    if (step === undefined || here < 0) return;
    event.preventDefault();
    buttons[Math.min(buttons.length - 1, Math.max(0, here + step))]?.focus();
  };
  return (
    <div ref={box} className="emoji" role="dialog" aria-label={t("emoji.title")} onKeyDown={keys}>
      {GROUPS.map(([name, list]) => (
        <section key={name} aria-label={t(name)}>
          <h3>{t(name)}</h3>
          <div>
            {list.split(" ").map((emoji) => (
              <button key={emoji} type="button" tabIndex={-1} onClick={() => onChoose(emoji)}>{emoji}</button>
            ))}
          </div>
        </section>
      ))}
    </div>
  );
}
