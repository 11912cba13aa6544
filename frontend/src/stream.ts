// What happens now, as the live process tells it: one stream for the page that is looked at. Parts of pages refresh
// themselves by `hx-trigger="live:case from:body, live:resync from:body"`; other scripts ask for single events by `onLive`.

/** A case that something happened to; `gone` says that this post does not see it any more. */
export interface CaseEvent {
  number: string;
  id: string;
  gone?: boolean;
  seq?: number;
  state?: string;
  closed?: boolean;
  move?: string;
  label?: string;
  label_en?: string;
  role?: string;
  who?: string;
}

export interface Person {
  name: string;
  role: string;
  writing: boolean;
}

interface Events {
  open: null;
  case: CaseEvent;
  notice: { unread: number };
  presence: { case: string; people: Person[] };
  resync: object;
}

const WINDOW = 3_100; // ms between two `live:case`: a little longer than the throttle of those who listen, which would lose the last
const SPREAD = 900; // ms at random, so that not all pages of a city ask in the same moment
const HIDDEN = 300_000; // ms after which a page that nobody looks at stops listening
const QUIET = 8_000; // ms without a connection before the page says so
const FIRST_PAUSE = 2_000;
const LONGEST_PAUSE = 120_000;

const listeners = new Map<keyof Events, ((data: never) => void)[]>();
const siblings = "BroadcastChannel" in window ? new BroadcastChannel("live") : null;
const waiting = new Map<string, CaseEvent>();
let address: URL | null = null;
let source: EventSource | null = null;
let opened = false;
let missed = false;
let pause = FIRST_PAUSE;
let nextTelling = 0;
let timers = { tell: 0, open: 0, hidden: 0, quiet: 0 };

/** Call `listener` with every event of this name. */
export function onLive<Name extends keyof Events>(name: Name, listener: (data: Events[Name]) => void): void {
  listeners.set(name, [...(listeners.get(name) ?? []), listener as (data: never) => void]);
}

/** Tell the live process whether this person writes in a case. */
export function say(facts: Record<string, string>): Promise<Response | null> {
  if (!address) return Promise.resolve(null);
  const target = new URL(address);
  target.pathname = target.pathname.replace(/stream$/, "presence");
  const ticket = target.searchParams.get("ticket") ?? "";
  target.search = "";
  return fetch(target, { method: "POST", body: new URLSearchParams({ ...facts, ticket }), keepalive: true }).catch(() => null);
}

function pass<Name extends keyof Events>(name: Name, data: Events[Name]): void {
  for (const listener of listeners.get(name) ?? []) (listener as (data: Events[Name]) => void)(data);
}

function showState(live: boolean): void {
  window.clearTimeout(timers.quiet);
  const mark = (): void => void document.documentElement.classList.toggle("is-not-live", !live);
  timers.quiet = live ? 0 : window.setTimeout(mark, QUIET);
  if (live) mark();
}

function open(): void {
  window.clearTimeout(timers.open);
  if (!address || source || document.hidden) return;
  siblings?.postMessage("open");
  source = new EventSource(address);
  source.addEventListener("open", () => {
    pause = FIRST_PAUSE;
    showState(true);
    if (opened) resync();
    opened = true;
    pass("open", null);
  });
  source.addEventListener("error", () => {
    showState(false);
    if (source?.readyState === EventSource.CLOSED) void comeBack();
  });
  for (const name of ["case", "notice", "presence", "resync"] as const) {
    source.addEventListener(name, (event) => pass(name, JSON.parse((event as MessageEvent<string>).data)));
  }
}

function close(): void {
  source?.close();
  source = null;
}

/** The browser gave up: so do we when the ticket is not valid any more, else we try again, ever more rarely. */
async function comeBack(): Promise<void> {
  close();
  if ((await say({}))?.status === 401) return;
  timers.open = window.setTimeout(open, pause * (0.75 + Math.random() / 2));
  pause = Math.min(pause * 2, LONGEST_PAUSE);
}

function resync(): void {
  missed = true;
  schedule();
}

function schedule(): void {
  if (timers.tell || document.hidden || !(missed || waiting.size)) return;
  timers.tell = window.setTimeout(tell, Math.max(0, nextTelling - Date.now()));
}

/** Let the parts of the page that show cases refresh themselves: at once, and after that at most every few seconds. */
function tell(): void {
  timers.tell = 0;
  nextTelling = Date.now() + WINDOW + Math.random() * SPREAD;
  const cases = [...waiting.values()];
  const name = missed ? "live:resync" : "live:case";
  waiting.clear();
  missed = false;
  document.body.dispatchEvent(new CustomEvent(name, { detail: { cases } }));
}

function look(): void {
  window.clearTimeout(timers.hidden);
  if (document.hidden) {
    timers.hidden = window.setTimeout(close, HIDDEN);
  } else {
    open();
    schedule();
  }
}

function count(unread: number): void {
  for (const place of document.querySelectorAll<HTMLElement>("[data-live-unread]")) {
    place.textContent = unread < 100 ? String(unread) : "99+";
    place.hidden = unread === 0;
  }
  document.body.dispatchEvent(new CustomEvent("live:notice", { detail: { unread } }));
}

export function startStream(): void {
  const given = document.querySelector<HTMLMetaElement>("meta[name=live]")?.content;
  if (!given || !document.querySelector("[data-live]")) return;
  address = new URL(given, window.location.href);
  const shown = document.querySelector<HTMLElement>("[data-live-case]")?.dataset.liveCase;
  if (shown) address.searchParams.set("case", shown);
  onLive("case", (event) => {
    waiting.set(event.number, event);
    schedule();
  });
  onLive("notice", ({ unread }) => count(unread));
  onLive("resync", resync);
  // A browser opens few connections to one place: a hidden page gives its own up as soon as another page needs one.
  siblings?.addEventListener("message", () => document.hidden && close());
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => event.persisted && open());
  open();
}
