/** About one chat: who is in it, what this user wants of it, and the way out. */

import { select, type Chat, type Level, type Member, type Role } from "@adda/client";
import { useCallback, useEffect, useState, type FormEvent } from "react";

import { usePage, useView } from "../context.js";
import { t } from "../i18n/index.js";
import { clock, day } from "../time.js";
import { Avatar } from "./avatar.js";
import { Dialog } from "./dialog.js";
import { Icon } from "./icons.js";
import { Menu, type Item } from "./menu.js";
import { idsOf } from "./new-chat.js";

/** No push until then: for ever. */
const FOR_EVER = Date.UTC(9999, 0, 1);

/** Who leads the group stands first. */
const RANK = { owner: 0, admin: 1, member: 2 } as const;

export function Details({ chat, onClose }: { chat: Chat; onClose(): void }) {
  const { adda, attempt, missing, openChat } = usePage();
  const title = useView((state) => select.titleOf(state, chat));
  const other = useView((state) => select.peer(state, chat)?.userId ?? "");
  const { settings, chatId } = chat;
  const set = (wish: Parameters<typeof adda.setSettings>[1]) => () =>
    void attempt("settings", () => adda.setSettings(chatId, wish));
  const muted = settings.mutedUntil > Date.now();
  const leave = async (how: () => Promise<void>): Promise<void> => {
    if (!confirm(t("details.sure"))) return;
    if (await attempt("groups", how)) {
      onClose();
      openChat(null);
    }
  };
  return (
    <Dialog title={t("details.title")} onClose={onClose}>
      <div className="form">
        <div className="who">
          <Avatar id={other || chatId} name={title} url={select.avatarOf(adda.state, chat)} />
          <h3><bdi>{title}</bdi></h3>
          {other && <p className="quiet">@{other}</p>}
        </div>
        {!missing.has("settings") && (
          <div className="buttons">
            <button type="button" onClick={set({ pinned: settings.pinnedAt === 0 })}>
              <Icon name="pin" />{settings.pinnedAt > 0 ? t("details.unpin") : t("details.pin")}
            </button>
            <button type="button" onClick={set({ mutedUntil: muted ? 1 : FOR_EVER })}>
              <Icon name="mute" />{muted ? t("details.unmute") : t("details.mute")}
            </button>
            <button type="button" onClick={set({ archived: !settings.archived })}>
              <Icon name="archive" />{settings.archived ? t("details.unarchive") : t("details.archive")}
            </button>
          </div>
        )}
        <Told chat={chat} />
        {chat.kind === "group" && <Group chat={chat} />}
        {other && !missing.has("people") && <BlockButton userId={other} />}
        {chat.kind === "group" && !missing.has("groups") && (
          <>
            <button type="button" className="danger" onClick={() => void leave(() => adda.leave(chatId))}>
              {t("details.leave")}
            </button>
            {chat.role === "owner" && (
              <button type="button" className="danger" onClick={() => void leave(() => adda.deleteGroup(chatId))}>
                {t("details.delete")}
              </button>
            )}
          </>
        )}
      </div>
    </Dialog>
  );
}

const HOUR = 3_600_000;
/** For how long one may be told less, by the name of each. */
const SPANS = { hour: HOUR, evening: 8 * HOUR, week: 168 * HOUR } as const;

/** Of which messages the user is told. Not shown where the server has no such thing. */
function Told({ chat }: { chat: Chat }) {
  const { adda, attempt } = usePage();
  const there = useView((state) => state.preferences !== null);
  if (!there) return null;
  const now = Date.now();
  const level = select.levelOf(chat, now);
  const { levelUntil = 0 } = chat.settings;
  const set = (next: Level, until = 0): void => void attempt(null, () => adda.setLevel(chat.chatId, next, until));
  return (
    <section>
      <label>{t("details.level")}
        <select value={level} onChange={(event) => set(event.target.value as Level)}>
          {(["all", "mentions", "none"] as const).map((each) => (
            <option key={each} value={each}>{t(`details.level.${each}`)}</option>
          ))}
        </select>
      </label>
      {level !== "all" && (
        <label>{t("details.until")}
          <select value={levelUntil > 0 ? "set" : "ever"} onChange={({ target }) =>
            set(level, target.value === "ever" ? 0 : now + SPANS[target.value as keyof typeof SPANS])}>
            <option value="ever">{t("details.until.ever")}</option>
            {levelUntil > 0 && <option value="set">{`${day(levelUntil, now)}, ${clock(levelUntil)}`}</option>}
            {(["hour", "evening", "week"] as const).map((each) => (
              <option key={each} value={each}>{t(`details.until.${each}`)}</option>
            ))}
          </select>
        </label>
      )}
    </section>
  );
}

function BlockButton({ userId }: { userId: string }) {
  const { adda, attempt } = usePage();
  // What was set before this device was there is asked for; what changes is told.
  const [before, setBefore] = useState(false);
  const told = useView((state) => state.blocks.get(userId)?.blocked);
  const name = useView((state) => select.nameOf(state, userId));
  const blocked = told ?? before;
  useEffect(() => {
    void adda.listBlocked().then(({ items }) => setBefore(items.some((user) => user.userId === userId)), () => {});
  }, [adda, userId]);
  return (
    <button type="button" className="danger" onClick={() => void attempt("people", () => adda.block(userId, !blocked))}>
      {blocked ? t("details.unblock", { name }) : t("details.block", { name })}
    </button>
  );
}

/** Title and members of a group, and what this user's role allows. */
function Group({ chat }: { chat: Chat }) {
  const { adda, attempt, missing } = usePage();
  const { chatId } = chat;
  const [title, setTitle] = useState(chat.title);
  const [who, setWho] = useState("");
  const [members, setMembers] = useState<readonly Member[]>(chat.members);
  const [menu, setMenu] = useState<{ member: Member; at: DOMRect } | null>(null);
  const close = useCallback(() => setMenu(null), []);
  const mayChange = chat.role !== "member" && !missing.has("groups");
  useEffect(() => {
    setMembers(chat.members);
    if (chat.members.length < chat.memberCount) {
      void adda.listMembers(chatId).then(({ items }) => setMembers(items), () => {});
    }
  }, [adda, chat.members, chat.memberCount, chatId]);
  const rename = (event: FormEvent): void => {
    event.preventDefault();
    void attempt("groups", () => adda.rename(chatId, title.trim()));
  };
  const add = (event: FormEvent): void => {
    event.preventDefault();
    void attempt("groups", () => adda.addMembers(chatId, idsOf(who))).then((done) => { if (done) setWho(""); });
  };
  const actions = (member: Member): Item[] => {
    const role = (next: Role) => () => void attempt("groups", () => adda.setRole(chatId, member.userId, next));
    const items: Item[] = [];
    if (chat.role === "owner") {
      items.push(member.role === "admin"
        ? { label: t("details.dismiss"), do: role("member") }
        : { label: t("details.makeadmin"), do: role("admin") });
      items.push({ label: t("details.handover"), do: role("owner") });
    }
    items.push({ label: t("details.remove"), danger: true,
      do: () => void attempt("groups", () => adda.removeMember(chatId, member.userId)) });
    return items;
  };
  return (
    <>
      {mayChange && (
        <form className="pair" onSubmit={rename}>
          <label>{t("details.title.label")}
            <input value={title} required maxLength={128} onChange={(event) => setTitle(event.target.value)} />
          </label>
          <button type="submit" disabled={title.trim() === chat.title}>{t("details.save")}</button>
        </form>
      )}
      <section>
        <h3>{t("chat.members", { n: chat.memberCount })}</h3>
        <ul className="members">
          {[...members].sort((a, b) => RANK[a.role] - RANK[b.role] || a.joinedAt - b.joinedAt).map((member) => {
            const name = select.nameOf(adda.state, member.userId);
            const mine = member.userId === adda.me;
            return (
              <li key={member.userId}>
                <Avatar id={member.userId} name={name} url={adda.state.users.get(member.userId)?.avatarUrl ?? ""} />
                <span><bdi>{name}</bdi>{mine && <small className="quiet">{t("details.you")}</small>}</span>
                {member.role !== "member" && <small className="role">{t(`details.role.${member.role}`)}</small>}
                {mayChange && !mine && select.outranks(chat, member) && (
                  <button type="button" className="round small" aria-label={t("details.manage", { name })}
                    onClick={({ currentTarget }) => setMenu({ member, at: currentTarget.getBoundingClientRect() })}>
                    <Icon name="more" />
                  </button>
                )}
              </li>
            );
          })}
        </ul>
        {menu && <Menu label={t("details.members")} items={actions(menu.member)} at={menu.at} onClose={close} />}
      </section>
      {mayChange && (
        <form className="pair" onSubmit={add}>
          <label>{t("details.add")}
            <input value={who} required autoCapitalize="none" spellCheck={false}
              onChange={(event) => setWho(event.target.value)} />
          </label>
          <button type="submit">{t("details.add.go")}</button>
        </form>
      )}
    </>
  );
}
