// An act on a phone: kept first, then sent. With a network the next job comes up as soon as the city has said yes; without one
// the next job comes up all the same, and the act waits. Whatever is not taken is put back into its form.
import { keepOrder, order, owner, say, section, showTold, tellNext } from "./page";
import { onQueue, sendNow, sendWhenPossible, show } from "./queue";
import { all, get, next, put, type Item, type Picture } from "./store";
import { dayOf } from "../kept";

const PATIENCE = 5_000; // ms after which somebody may go on while it is still being sent
const TYPED = ["note", "until", "title", "type", "place", "description", "lon", "lat", "accuracy"];
const OWN = new Set(["csrfmiddlewaretoken", "evidence", "key"]); // fields that the queue has itself

const forms = (): HTMLFormElement[] => [...document.querySelectorAll<HTMLFormElement>("form[data-act]")];
const part = (form: HTMLFormElement, name: string): HTMLElement | null => form.querySelector<HTMLElement>(`[data-act-${name}]`);

async function read(form: HTMLFormElement, submitter: HTMLElement | null): Promise<Item> {
  const data = new FormData(form, submitter);
  const fields: Record<string, string> = { done_at: new Date().toISOString() };
  for (const [name, value] of data) if (typeof value === "string" && value && !OWN.has(name)) fields[name] = value;
  const files = data.getAll("evidence").filter((value): value is File => value instanceof File && value.size > 0);
  const type = form.querySelector<HTMLSelectElement>("select[name=type]")?.selectedOptions[0];
  const { act = "", number = "", title = "", label = "" } = form.dataset;
  const ahead = around(number)[0];
  if (ahead) fields.then = ahead;
  return {
    key: form.dataset.key ?? newKey(), owner: owner(), kind: act === "report" ? "report" : "move", number, label,
    fields: await known(number, fields), title: title || fields.title || (type?.value ? type.text : ""),
    pictures: await Promise.all(files.map(picture)), at: await next(), state: "waiting",
  };
}

/** `crypto.randomUUID` is not there for a city that is reached without HTTPS. */
function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A kept page has the version of when it was kept; what this person did since is known to them. */
async function known(number: string, fields: Record<string, string>): Promise<Record<string, string>> {
  const own = (await all()).filter((item) => number && item.number === number && item.owner === owner() && item.state === "done");
  const last = own.filter((item) => (item.version ?? 0) > Number(fields.version)).at(-1);
  return last ? { ...fields, version: String(last.version), seq: String(last.seq) } : fields;
}

/** The bytes themselves: a file that a camera lent may be gone when it is sent. */
async function picture(file: File): Promise<Picture> {
  return { name: file.name, type: file.type, data: new Blob([await file.arrayBuffer()], { type: file.type }) };
}

function fail(form: HTMLFormElement, why: string): void {
  const told = part(form, "error");
  if (!told) return;
  told.textContent = why;
  told.hidden = !why;
  if (why) told.scrollIntoView({ block: "center" });
}

function busy(form: HTMLFormElement, on: boolean): void {
  for (const button of form.querySelectorAll<HTMLButtonElement>("button[type=submit]")) button.disabled = on;
  const told = part(form, "sending");
  if (told) told.hidden = !on;
  const leave = part(form, "leave");
  if (leave) leave.hidden = true;
}

async function act(form: HTMLFormElement, submitter: HTMLElement | null): Promise<void> {
  fail(form, "");
  busy(form, true);
  const item = await read(form, submitter);
  try {
    await put(item);
  } catch {
    return full(form);
  }
  form.dataset.key = item.key;
  remember(form);
  await sent(form, item);
}

/** Nothing more fits into this telephone: with a network the form goes straight to the server, without one it stays as it is. */
function full(form: HTMLFormElement): void {
  if (navigator.onLine) return form.submit();
  busy(form, false);
  fail(form, say(section(), "full"));
}

/** Wait for the answer as long as its owner likes; then go on. */
async function sent(form: HTMLFormElement, item: Item): Promise<void> {
  const leave = part(form, "leave");
  const timer = window.setTimeout(() => leave && (leave.hidden = false), PATIENCE);
  const left = new Promise<void>((resolve) => leave?.addEventListener("click", () => resolve(), { once: true }));
  await Promise.race([navigator.onLine ? sendNow() : show(), left]);
  window.clearTimeout(timer);
  const now = await get(item.key);
  if (now?.state === "done") return done(now);
  busy(form, false);
  if (now?.state === "waiting") return goOn(form, now);
  if (now?.state === "moved" && form.dataset.act !== "report") return window.location.reload(); // fresh, with the act put back
  if (part(form, "error")) fail(form, now?.why ?? "");
  else section()?.scrollIntoView({ block: "start" });
}

/** The city said yes: on to where it says. The page of the case as it was before is kept no longer. */
async function done(item: Item): Promise<void> {
  await (await window.caches?.open(dayOf(owner())))?.delete(`/field/${item.number}`);
  const target = item.href ?? "/field";
  if (target !== `/field/${item.number}`) keepOrder(order().filter((one) => one !== item.number));
  tellNext([item.why, item.title].filter(Boolean).join(" "), "success");
  if (target === window.location.pathname + window.location.search) window.location.reload();
  else window.location.assign(target);
}

/** The other jobs in the order of the list, those after this one first. */
function around(number: string): string[] {
  const listed = order();
  const at = listed.indexOf(number);
  return at < 0 ? [] : [...listed.slice(at + 1), ...listed.slice(0, at)];
}

/** It waits: what can follow it at once is offered, else the next job that is on this telephone. */
async function goOn(form: HTMLFormElement, item: Item): Promise<void> {
  delete form.dataset.key;
  await sendWhenPossible();
  if (item.kind === "report") return cleared(form);
  if (item.fields.from === "list") return;
  if (form.dataset.stays !== undefined) return emptied(form);
  if (document.querySelector(`[data-then="${item.fields.move}"]`)) return;
  tellNext(`${item.label} · ${item.title}: ${say(section(), "keep")}`, "warning");
  window.location.assign(await nextKept(item.number));
}

async function nextKept(number: string): Promise<string> {
  const ahead = around(number);
  keepOrder(order().filter((one) => one !== number));
  const waiting = new Set((await all()).map((item) => item.number));
  const cache = await window.caches?.open(dayOf(owner()));
  for (const one of ahead) {
    if (!waiting.has(one) && (await cache?.match(`/field/${one}`, { ignoreVary: true }))) return `/field/${one}`;
  }
  return "/field";
}

function emptied(form: HTMLFormElement): void {
  form.reset();
  form.querySelector("[data-previews]")?.replaceChildren();
}

/** The next report from patrol begins where the last one was: kind and street stay. */
function cleared(form: HTMLFormElement): void {
  emptied(form);
  recall(form);
  window.scrollTo(0, 0);
}

// What one reported last on this telephone: the kinds and the street, nothing of a person, until the tab is closed.
const LAST = ["type", "place"];

function remember(form: HTMLFormElement): void {
  if (form.dataset.act !== "report") return;
  const values = Object.fromEntries(LAST.map((name) => [name, field(form, name)?.value ?? ""]));
  const kinds = [values.type, ...recent()].filter((kind, i, list) => kind && list.indexOf(kind) === i).slice(0, 5);
  sessionStorage.setItem("field-last", JSON.stringify({ values, kinds }));
}

function recent(): string[] {
  return (JSON.parse(sessionStorage.getItem("field-last") ?? '{"kinds":[]}') as { kinds: string[] }).kinds;
}

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

function field(form: HTMLFormElement, name: string): Field | null {
  return form.querySelector<Field>(`[name="${name}"]`);
}

function recall(form: HTMLFormElement): void {
  const { values = {} } = JSON.parse(sessionStorage.getItem("field-last") ?? "{}") as { values?: Record<string, string> };
  for (const [name, value] of Object.entries(values)) {
    const input = field(form, name);
    if (input && !input.value) input.value = value;
  }
  const select = form.querySelector<HTMLSelectElement>("select[data-recent]");
  if (!select || select.querySelector("[data-last]") || !recent().length) return;
  const group = Object.assign(document.createElement("optgroup"), { label: select.dataset.recent ?? "" });
  group.dataset.last = "";
  for (const kind of recent()) {
    const known = [...select.options].find((option) => option.value === kind);
    if (known) group.append(new Option(known.text, kind));
  }
  select.insertBefore(group, select.querySelector("optgroup"));
}

/** What is known of this case on this telephone: an act that waits closes its form and opens what follows; one that was not
 * taken is put back into its form. */
function reflect(items: Item[]): void {
  const here = document.querySelector<HTMLElement>("[data-job-page]")?.dataset.jobPage ?? "";
  for (const item of items.filter((one) => one.number === here && one.owner === owner())) {
    const move = item.fields.move ?? "";
    const waits = item.state === "waiting" || (item.state === "done" && document.body.dataset.kept !== undefined);
    if (waits) close(move, item.state === "waiting"); // reports have no card to close
    else if (item.state !== "done") putBack(item, item.kind === "report" ? "report" : move);
  }
  const own = new Set(items.filter((one) => one.number === here && one.owner === owner()).map((item) => item.fields.move));
  for (const card of document.querySelectorAll<HTMLElement>("[data-closed]")) if (!own.has(card.dataset.actCard ?? "")) reopen(card);
}

/** The act that had closed this form was thrown away. */
function reopen(card: HTMLElement): void {
  delete card.dataset.closed;
  card.querySelector(".queued")?.remove();
  card.querySelector("form")?.removeAttribute("hidden");
  document.querySelector(`[data-then="${card.dataset.actCard}"]`)?.setAttribute("hidden", "");
}

function close(move: string, waits: boolean): void {
  const card = document.querySelector<HTMLElement>(`[data-act-card="${move}"]`);
  const form = card?.querySelector<HTMLFormElement>("form[data-act]");
  if (!card || !form || form.dataset.stays !== undefined || card.dataset.closed !== undefined) return;
  card.dataset.closed = "";
  form.hidden = true;
  const told = Object.assign(document.createElement("p"), { className: "queued", textContent: say(section(), waits ? "keep" : "done") });
  told.setAttribute("role", "status");
  card.append(told);
  document.querySelector<HTMLElement>(`[data-then="${move}"]`)?.removeAttribute("hidden");
}

function putBack(item: Item, act: string): void {
  const form = forms().find((one) => one.dataset.act === act && !one.closest("[hidden]"));
  if (!form || form.dataset.key !== undefined) return;
  form.dataset.key = item.key;
  form.closest("details")?.setAttribute("open", "");
  for (const name of TYPED) {
    const input = field(form, name);
    if (input && !input.value) input.value = item.fields[name] ?? "";
  }
  const files = form.querySelector<HTMLInputElement>("input[name=evidence]");
  if (files && item.pictures.length) {
    const transfer = new DataTransfer();
    for (const one of item.pictures) transfer.items.add(new File([one.data], one.name, { type: one.type }));
    files.files = transfer.files;
    files.dispatchEvent(new Event("change", { bubbles: true }));
  }
  fail(form, [item.why, ...(item.since ?? [])].filter(Boolean).join(" · "));
}

export function startActs(): void {
  for (const form of forms()) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void act(form, event.submitter);
    });
    if (form.dataset.act === "report") recall(form);
  }
  showTold();
  onQueue(reflect);
}
