// The public pages: a report that survives a closed browser, and an answer that can be sent or printed.
import "../styles/portal.css";

const KEPT = ["title", "description", "place", "lon", "lat", "type"]; // neither name nor telephone stays on a device
const LASTS = 24 * 3600_000;

interface Draft {
  at: number;
  values: Record<string, string>;
}

function field(form: HTMLFormElement, name: string): HTMLInputElement | null {
  return form.querySelector<HTMLInputElement>(`[name="${name}"]`);
}

function read(key: string): Draft | null {
  try {
    const draft = JSON.parse(localStorage.getItem(key) ?? "null") as Draft | null;
    return draft && Date.now() - draft.at < LASTS ? draft : null;
  } catch {
    return null;
  }
}

function write(key: string, form: HTMLFormElement): void {
  const values = Object.fromEntries(KEPT.map((name) => [name, field(form, name)?.value ?? ""]));
  try {
    if (Object.values(values).some(Boolean)) localStorage.setItem(key, JSON.stringify({ at: Date.now(), values }));
    else localStorage.removeItem(key);
  } catch {
    // A browser that stores nothing: the form works all the same.
  }
}

function restore(key: string, form: HTMLFormElement): void {
  const draft = read(key);
  const empty = KEPT.every((name) => !field(form, name)?.value);
  if (!draft || !empty) return;
  for (const [name, value] of Object.entries(draft.values)) {
    const input = field(form, name);
    if (!input || !value) continue;
    input.value = value;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }
  const told = document.querySelector<HTMLElement>("[data-draft-told]");
  if (told) told.hidden = false;
}

function drafts(): void {
  const done = document.querySelector<HTMLElement>("[data-draft-done]");
  if (done) localStorage.removeItem(`draft.${done.dataset.draftDone}`);
  const form = document.querySelector<HTMLFormElement>("form[data-draft]");
  if (!form) return;
  const key = `draft.${form.dataset.draft}`;
  restore(key, form);
  form.addEventListener("input", () => write(key, form));
  form.addEventListener("change", () => write(key, form));
  document.querySelector("[data-draft-clear]")?.addEventListener("click", () => {
    localStorage.removeItem(key);
    window.location.assign(window.location.pathname);
  });
}

function keeping(): void {
  for (const button of document.querySelectorAll<HTMLElement>("[data-share]")) {
    if (!("share" in navigator)) continue;
    button.hidden = false;
    button.addEventListener("click", () => void navigator.share({ text: button.dataset.share ?? "" }).catch(() => undefined));
  }
  for (const button of document.querySelectorAll<HTMLElement>("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
}

/** Near me: the device's place becomes the question, to some hundred metres only. */
function near(): void {
  const form = document.querySelector<HTMLFormElement>("form[data-near]");
  form?.addEventListener("change", (event) => {
    if (!(event.target instanceof HTMLInputElement) || !event.target.value) return;
    event.target.value = Number(event.target.value).toFixed(3);
    if (event.target.name === "lat") form.requestSubmit();
  });
}

try {
  drafts();
} finally {
  keeping();
  near();
}
