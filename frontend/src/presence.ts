// A case that several people have open: who else looks or writes, and that it moved on meanwhile, without losing what was typed.
import { onLive, say, type CaseEvent, type Person } from "./stream";

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;
type Kept = Record<string, Record<string, string>>;

const FIELDS = "textarea, select, input:not([type=hidden], [type=file], [type=checkbox], [type=radio])";
const LEFT = 1_500; // ms after which somebody who left a field has stopped writing

let root: HTMLElement;
let roles: Record<string, string> = {};
let writing = false;
let timer = 0;

const forms = (): HTMLFormElement[] => [...document.querySelectorAll<HTMLFormElement>("form:has(input[name=move])")];
const fields = (form: HTMLFormElement): Field[] => [...form.querySelectorAll<Field>(FIELDS)];
const nameOf = (form: HTMLFormElement): string => form.querySelector<HTMLInputElement>("input[name=move]")?.value ?? "";
const filled = (text: string | undefined, values: Record<string, string>): string =>
  (text ?? "").replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");

function initial(field: Field): string {
  if (!(field instanceof HTMLSelectElement)) return field.defaultValue;
  return ([...field.options].find((option) => option.defaultSelected) ?? field.options[0])?.value ?? "";
}

function typed(form: HTMLFormElement): Record<string, string> {
  const changed = fields(form).filter((field) => field.value !== initial(field));
  return Object.fromEntries(changed.map((field) => [field.name, field.value]));
}

function showPeople(people: Person[]): void {
  const chips = people.map((person) => {
    const chip = document.createElement("span");
    chip.className = person.writing ? "chip is-writing" : "chip";
    const who = { who: person.name, role: roles[person.role] ?? person.role };
    chip.textContent = filled(person.writing ? root.dataset.writing : root.dataset.looking, who);
    return chip;
  });
  root.querySelector("[data-live-people]")?.replaceChildren(...chips);
}

function showMoved(event: CaseEvent): void {
  if (event.number !== root.dataset.liveCase) return;
  if (!event.gone && (event.seq ?? 0) <= Number(root.dataset.liveSeq)) return;
  const move = document.documentElement.lang.startsWith("en") ? event.label_en || event.label : event.label;
  const who = event.who || roles[event.role ?? ""] || "";
  const words = root.querySelector<HTMLElement>("[data-live-said]");
  if (words) words.textContent = event.gone ? root.dataset.gone ?? "" : filled(root.dataset.moved, { move: move ?? "", who });
  const banner = root.querySelector<HTMLElement>("[data-live-moved]");
  if (banner) banner.hidden = false;
}

function tellWriting(now: boolean): void {
  if (now === writing) return;
  writing = now;
  void say({ case: root.dataset.liveCase ?? "", writing: now ? "1" : "0" });
}

function watchWriting(): void {
  const look = (): void => {
    window.clearTimeout(timer);
    const form = document.activeElement instanceof Element ? document.activeElement.closest("form") : null;
    const busy = form !== null && forms().includes(form) && Object.keys(typed(form)).length > 0;
    if (busy) tellWriting(true);
    else timer = window.setTimeout(() => tellWriting(false), LEFT);
  };
  for (const name of ["input", "focusin", "focusout"]) document.addEventListener(name, look);
  onLive("open", () => {
    if (writing) void say({ case: root.dataset.liveCase ?? "", writing: "1" });
  });
}

const key = (): string => `typed:${root.dataset.liveCase}`;

function keep(): void {
  const kept = Object.fromEntries(forms().map((form) => [nameOf(form), typed(form)]));
  sessionStorage.setItem(key(), JSON.stringify(kept));
}

/** Put back what was typed before the page was shown anew; words whose form is gone are shown beside the banner's place. */
function restore(): void {
  const kept = JSON.parse(sessionStorage.getItem(key()) ?? "{}") as Kept;
  sessionStorage.removeItem(key());
  const places = new Map(forms().map((form) => [nameOf(form), form]));
  const homeless = Object.entries(kept).flatMap(([move, values]) => putBack(places.get(move), values));
  const note = root.querySelector<HTMLElement>("[data-live-kept]");
  if (!note || homeless.length === 0) return;
  note.textContent = filled(root.dataset.kept, { text: homeless.join(" ") });
  note.hidden = false;
}

function putBack(form: HTMLFormElement | undefined, values: Record<string, string>): string[] {
  if (!form) return values.note ? [values.note] : [];
  for (const field of fields(form)) {
    const value = values[field.name];
    if (value === undefined || field.value !== initial(field)) continue;
    field.value = value;
    form.closest("details")?.setAttribute("open", "");
  }
  return [];
}

export function startPresence(): void {
  const found = document.querySelector<HTMLElement>("[data-live-case]");
  if (!found) return;
  root = found;
  roles = JSON.parse(root.dataset.roles ?? "{}") as Record<string, string>;
  restore();
  onLive("presence", ({ people }) => showPeople(people));
  onLive("case", showMoved);
  watchWriting();
  root.querySelector("[data-live-show]")?.addEventListener("click", keep);
}
