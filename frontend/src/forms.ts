// Small helps for forms: sent once, filters that answer at once, menus that close, choices that show what they need.
import { onContent } from "./live";

function sentOnce(form: HTMLFormElement): void {
  form.addEventListener("submit", () => {
    window.setTimeout(() => {
      for (const button of form.querySelectorAll<HTMLButtonElement>("button[type=submit]")) button.disabled = true;
    });
  });
}

/** Days typed by hand pass through the year 2 on their way to 2026, and a period is moved one end after the other. */
function ready(form: HTMLFormElement): boolean {
  const [first, last] = ["first", "last"].map((name) => form.elements.namedItem(name));
  const backwards = first instanceof HTMLInputElement && last instanceof HTMLInputElement && last.value !== "" && first.value > last.value;
  return form.checkValidity() && !backwards;
}

function submitOnChange(form: HTMLFormElement): void {
  form.addEventListener("change", (event) => {
    const chosen = event.target instanceof HTMLSelectElement || event.target instanceof HTMLInputElement;
    if (chosen && ready(form)) form.requestSubmit();
  });
}

function copyOnClick(button: HTMLElement): void {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy ?? "");
    button.textContent = button.dataset.done ?? "✓";
  });
}

function openDialog(button: HTMLElement): void {
  button.addEventListener("click", () => document.querySelector<HTMLDialogElement>(`#${button.dataset.dialog}`)?.showModal());
}

/** A page that stood open while its person signed in elsewhere has an old token: every form is sent with the present one. */
function freshToken(event: SubmitEvent): void {
  const field = (event.target as HTMLFormElement).elements.namedItem("csrfmiddlewaretoken");
  const cookie = document.cookie.split("; ").find((pair) => pair.startsWith("csrftoken="));
  if (field instanceof HTMLInputElement && cookie) field.value = cookie.slice("csrftoken=".length);
}

function closeMenus(event: Event): void {
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
    if (event instanceof KeyboardEvent ? event.key === "Escape" : !menu.contains(event.target as Node)) menu.open = false;
  }
}

/** A page that came back from the browser's memory has its buttons again. */
function wakeButtons(): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("form[data-once] button:disabled")) button.disabled = false;
}

export function startForms(): void {
  onContent((root) => {
    root.querySelectorAll<HTMLFormElement>("form[data-once]").forEach(sentOnce);
    root.querySelectorAll<HTMLFormElement>("form[data-auto]").forEach(submitOnChange);
    root.querySelectorAll<HTMLElement>("[data-copy]").forEach(copyOnClick);
    root.querySelectorAll<HTMLElement>("[data-dialog]").forEach(openDialog);
  });
  document.addEventListener("submit", freshToken, { capture: true });
  document.addEventListener("click", closeMenus);
  document.addEventListener("keydown", closeMenus);
  window.addEventListener("pageshow", wakeButtons);
  document.querySelector<HTMLElement>("[data-focus]")?.focus();
}
