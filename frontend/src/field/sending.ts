// Sending what waits, one thing after the other. A page and the service worker may both try: only one of them sends at a time,
// and the server does what comes under one key once, so that a lost answer doubles nothing.
import { all, held, put, type Item } from "./store";

export const SYNC = "/field/sync";
export const TAG = "field-queue"; // of the background sync, of the lock, and of the channel
const PATIENCE = 90_000; // ms for one thing with its photos on a bad network

/** sent: nothing of this owner waits that could be sent. offline, later: some still waits, try again. signed-out: nobody is signed in. */
export type Outcome = "sent" | "offline" | "later" | "signed-out";

interface Sent {
  verdict: "done" | "moved" | "refused" | "other" | "later";
  says: string;
  href: string;
  version: number | null;
  seq: number | null;
  since: string[];
  possible: boolean;
}

/** Tell the other pages of this telephone that something changed. */
export function tell(): void {
  if (!("BroadcastChannel" in globalThis)) return;
  const channel = new BroadcastChannel(TAG);
  channel.postMessage("changed");
  channel.close();
}

/** Send what waits of an owner, in its order. `token` is the one that Django expects beside the session. */
export async function sendAll(owner: string, token: string): Promise<Outcome> {
  const work = (): Promise<Outcome> => sendInTurn(owner, token);
  return "locks" in navigator ? navigator.locks.request(TAG, work) : work();
}

async function sendInTurn(owner: string, token: string): Promise<Outcome> {
  const tried = new Set<string>();
  for (;;) {
    const items = await all(); // anew each time: what was done gives those after it their version, and more may have come
    const item = items.find((one) => one.owner === owner && one.state === "waiting" && !tried.has(one.key) && !held(one, items));
    if (!item) return "sent";
    tried.add(item.key);
    const outcome = await send(item, token);
    if (outcome !== "sent") return outcome;
  }
}

async function send(item: Item, token: string): Promise<Outcome> {
  let answer: Response;
  try {
    answer = await fetch(SYNC, {
      method: "POST", body: form(item), headers: { "X-CSRFToken": token }, credentials: "same-origin", redirect: "manual",
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch {
    return "offline";
  }
  if (answer.type === "opaqueredirect" || answer.status === 401) return "signed-out";
  if (answer.headers.get("Content-Type") !== "application/json") return unread(item, answer);
  try {
    return await note(item, (await answer.json()) as Sent);
  } catch {
    return "offline"; // cut off in the middle of the answer
  }
}

function form(item: Item): FormData {
  const data = new FormData();
  const named = { ...item.fields, key: item.key, kind: item.kind, number: item.number, owner: item.owner };
  for (const [name, value] of Object.entries(named)) data.append(name, value);
  for (const { name, type, data: bytes } of item.pictures) data.append("evidence", new File([bytes], name, { type }));
  return data;
}

/** An answer that did not come from where it should: too much at once is said in words, all else is tried again. */
async function unread(item: Item, answer: Response): Promise<Outcome> {
  if (answer.status === 413) {
    await put({ ...item, state: "refused", why: await answer.text() });
    tell();
    return "sent";
  }
  return answer.status === 403 ? "signed-out" : "later";
}

/** Write down what became of an item. Those after it of the same case were made in its knowledge: they go on with its version. */
async function note(item: Item, sent: Sent): Promise<Outcome> {
  if (sent.verdict === "other") return "sent";
  if (sent.verdict === "later") return "later";
  const stands = { version: sent.version ?? undefined, seq: sent.seq ?? undefined, href: sent.href };
  if (sent.verdict !== "done") {
    await put({ ...item, ...stands, state: sent.verdict, why: sent.says, since: sent.since, possible: sent.possible });
  } else {
    const done: Item = { ...item, ...stands, state: "done", why: sent.says, pictures: [], fields: { move: item.fields.move ?? "" } };
    const after = item.number === "" ? [] : (await all()).filter((one) => follows(one, item));
    await put(done, ...after.map((one) => ({ ...one, fields: { ...one.fields, version: String(sent.version), seq: String(sent.seq) } })));
  }
  tell();
  return "sent";
}

function follows(one: Item, item: Item): boolean {
  return one.number === item.number && one.owner === item.owner && one.at > item.at && one.state === "waiting";
}
