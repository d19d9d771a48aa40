import { Adda, messageAt, select } from "@adda/client";

/** Two people talk: what a product writes, whole. Node and browsers alike. */
export async function talk(server: string, token: (user: string) => Promise<string>, show: (line: string) => void) {
  const [ann, ben] = await Promise.all(["ann", "ben"].map((user) =>
    Adda.open({ server, user, token: () => token(user) })));
  if (!ann || !ben) return;

  // What came is in `state`, told anew at most once a frame; `select` works out what to show of it.
  ben.onMessage((message) => show(`ben hears ${select.nameOf(ben.state, message.senderId)}: ${message.text}`));
  ben.onChange(() => {
    for (const chat of select.inbox(ben.state)) {
      const { last } = chat;
      if (last?.senderId === "ann") ben.seen(chat.chatId, 1, last.seq); // it is on screen
    }
  });
  const chat = await ann.openDirect("ben");
  const blue = new Promise<void>((done) => ann.onChange(() => {
    const message = messageAt(ann.state, chat, 1);
    if (message && select.tick(ann.state, message) === 3) done();
  }));
  const shown = ann.show(chat); // it is on screen: its typing and presence are told
  await ann.send(chat, { text: "hello" }); // on disk now, and goes out once, whatever happens
  await blue;
  show("ann sees two blue ticks");

  shown.close();
  ann.close();
  ben.close();
}
