// What waits to be sent, as its owner sees it on every page of the field: how much, why it waits, what was not taken.
import { account, clock, owner, say, section, token } from "./page";
import { sendAll, tell, TAG, type Outcome } from "./sending";
import { all, drop, held, put, type Item } from "./store";

const AGAIN = 30_000; // ms between tries while something waits and the page is looked at
const listeners: ((items: Item[]) => void)[] = [];
let outcome: Outcome = "sent";

/** Call `listener` with everything of this account now and whenever it changes. */
export function onQueue(listener: (items: Item[]) => void): void {
  listeners.push(listener);
}

async function mine(): Promise<Item[]> {
  return (await all()).filter((item) => account(item.owner) === account(owner()) && owner() !== "");
}

export async function show(): Promise<void> {
  const items = await mine();
  const root = section();
  if (root) draw(root, items);
  remember(items.filter((item) => item.state !== "done").length);
  listeners.forEach((listener) => listener(items));
}

function remember(count: number): void {
  try {
    localStorage.setItem("field-unsent", String(count));
  } catch {
    // Signing out then asks nothing; what is not sent is kept all the same.
  }
}

function draw(root: HTMLElement, items: Item[]): void {
  const open = items.filter((item) => item.state !== "done");
  const waiting = open.filter((item) => item.state === "waiting").length;
  const part = <T extends HTMLElement>(name: string): T | null => root.querySelector<T>(`[data-queue-${name}]`);
  root.hidden = open.length === 0;
  fill(part("count"), waiting || !open.length ? say(root, "count", { n: waiting }) : "");
  fill(part("trouble"), open.length > waiting ? say(root, "trouble", { n: open.length - waiting }) : "");
  fill(part("says"), waiting && outcome !== "sent" ? say(root, outcome === "signed-out" ? "signedOut" : outcome) : "");
  const login = part("login");
  if (login) login.hidden = !(waiting && outcome === "signed-out");
  const button = part("send");
  if (button) button.hidden = !waiting;
  part("items")?.replaceChildren(...open.map((item) => line(root, item, items)));
  const details = root.querySelector("details");
  if (details && open.length > waiting) details.open = true;
}

function fill(element: HTMLElement | null | undefined, text: string): void {
  if (!element) return;
  element.textContent = text;
  element.hidden = !text;
}

function line(root: HTMLElement, item: Item, items: Item[]): HTMLElement {
  const template = root.querySelector<HTMLTemplateElement>("template[data-queue-item]");
  const made = (template?.content.cloneNode(true) as DocumentFragment).firstElementChild as HTMLElement;
  const part = <T extends HTMLElement>(name: string): T | null => made.querySelector<T>(`[data-item-${name}]`);
  made.dataset.state = item.state;
  made.dataset.key = item.key;
  fill(part("label"), item.label);
  fill(part("title"), [item.title, item.number].filter(Boolean).join(" · "));
  fill(part("at"), clock(item.at));
  fill(part("photos"), item.pictures.length ? say(root, "photos", { n: item.pictures.length }) : "");
  fill(part("note"), item.fields.note ?? item.fields.description ?? "");
  fill(part("state"), state(root, item, items));
  part("since")?.replaceChildren(...(item.since ?? []).map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  const open = part<HTMLAnchorElement>("open");
  if (open && item.kind === "move") open.href = `/field/${item.number}`;
  else if (open && item.state === "refused") Object.assign(open, { href: "/field/report", textContent: say(root, "mend") });
  else open?.remove();
  const again = part("again");
  if (again) again.hidden = !(item.state === "moved" && item.possible);
  again?.addEventListener("click", () => void sendAgain(item));
  part("drop")?.addEventListener("click", () => void throwAway(root, item));
  return made;
}

function state(root: HTMLElement, item: Item, items: Item[]): string {
  if (item.state !== "waiting") return `${say(root, item.state)} ${item.why ?? ""}`;
  if (item.owner !== owner()) return say(root, "other");
  return say(root, held(item, items) ? "held" : "waiting");
}

/** Its owner has read what happened meanwhile: it is sent on the version that they know now. */
async function sendAgain(item: Item): Promise<void> {
  const fields = { ...item.fields, version: String(item.version), seq: String(item.seq) };
  await put({ ...item, fields, state: "waiting", why: "", since: [] });
  await sendNow();
}

async function throwAway(root: HTMLElement, item: Item): Promise<void> {
  if (!window.confirm(say(root, "sure"))) return;
  await drop(item.key);
  tell();
  await sendNow();
}

/** Send what waits, and show what became of it. */
export async function sendNow(): Promise<Outcome> {
  if (owner() === "") return "signed-out";
  const waits = (await mine()).some((item) => item.state === "waiting" && item.owner === owner());
  outcome = waits ? await sendAll(owner(), token()) : "sent";
  await show();
  return outcome;
}

/** What was sent is of no more interest once a list has come from the network that knows it. */
async function forgetDone(): Promise<void> {
  const fresh = document.body.dataset.kept === undefined && document.querySelector("[data-jobs]") !== null;
  const old = (item: Item): boolean => Date.now() - item.at > 24 * 3600_000;
  await drop(...(await all()).filter((item) => item.state === "done" && (fresh || old(item))).map((item) => item.key));
}

function showKept(): void {
  const told = document.querySelector<HTMLElement>("[data-kept-says]");
  const since = document.body.dataset.kept;
  if (!told || since === undefined) return;
  fill(told.querySelector("span"), say(told, "keptSays", { time: clock(since) }));
  told.hidden = false;
  told.querySelector("[data-reload]")?.addEventListener("click", () => window.location.reload());
}

/** A list of before is read anew as soon as there is a network; a job may have something typed into it, and stays. */
function freshen(): void {
  if (document.body.dataset.kept !== undefined && document.querySelector("[data-jobs]")) window.location.reload();
}

/** Ask the browser to send later even if no page is open then, and not to drop what is kept. */
export async function sendWhenPossible(): Promise<void> {
  void navigator.storage?.persist?.().catch(() => false);
  const registration = await navigator.serviceWorker?.getRegistration("/field");
  const sync = (registration as { sync?: { register(tag: string): Promise<void> } } | undefined)?.sync;
  await sync?.register(TAG).catch(() => undefined);
}

export async function startQueue(): Promise<void> {
  showKept();
  section()?.querySelector("[data-queue-send]")?.addEventListener("click", () => void sendNow());
  if ("BroadcastChannel" in window) new BroadcastChannel(TAG).addEventListener("message", () => void show());
  const soon = (): void => void (document.hidden || sendNow());
  window.addEventListener("online", () => void sendNow().then((how) => how === "sent" && freshen()));
  document.addEventListener("visibilitychange", soon);
  window.setInterval(() => (outcome === "sent" ? undefined : soon()), AGAIN);
  await forgetDone();
  await show();
  soon();
}
