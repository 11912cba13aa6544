// The cockpit: the map when it comes into view, choosing cases for an act, printing.
import "../styles/cockpit.css";
import { onContent } from "../live";

function choosing(form: HTMLFormElement): void {
  const boxes = (): HTMLInputElement[] => [...form.querySelectorAll<HTMLInputElement>("input[name=case]")];
  const every = form.querySelector<HTMLInputElement>("[data-every]");
  const update = (): void => {
    const chosen = boxes().filter((box) => box.checked).length;
    const told = form.querySelector<HTMLElement>("[data-chosen]");
    if (told) told.textContent = `(${chosen})`;
    if (every) {
      every.checked = chosen === boxes().length;
      every.indeterminate = chosen > 0 && !every.checked;
    }
    const needs = form.querySelector<HTMLInputElement>("input[name=move]:checked")?.dataset.needs?.split(" ") ?? [];
    const tracker = form.querySelector<HTMLElement>("[data-for=tracker]");
    if (tracker) tracker.hidden = !needs.includes("tracker");
    const note = form.querySelector<HTMLInputElement>("#note");
    if (note) note.required = needs.includes("note");
  };
  every?.addEventListener("change", () => {
    boxes().forEach((box) => (box.checked = every.checked));
    update();
  });
  form.addEventListener("change", update);
  update();
}

function whenSeen(element: HTMLElement): void {
  element.hidden = false;
  const watcher = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watcher.disconnect();
    void import("../cockpit-map").then(({ showCockpitMap }) => showCockpitMap(element)).catch(() => (element.hidden = true));
  }, { rootMargin: "200px" });
  watcher.observe(element);
}

/** What somebody has open to read stays open when the numbers refresh themselves. */
function keepOpen(part: HTMLElement): void {
  let open: string[] = [];
  part.addEventListener("htmx:beforeSwap", () => {
    open = [...part.querySelectorAll<HTMLDetailsElement>("details[id][open]")].map(({ id }) => id);
  });
  part.addEventListener("htmx:afterSwap", () => {
    for (const id of open) document.querySelector<HTMLDetailsElement>(`#${id}`)?.setAttribute("open", "");
  });
}

onContent((root) => {
  root.querySelectorAll<HTMLFormElement>("form[data-choose]").forEach(choosing);
  root.querySelectorAll<HTMLElement>("[data-cockpit-map]").forEach(whenSeen);
  root.querySelectorAll<HTMLElement>("#now").forEach(keepOpen);
  root.querySelectorAll<HTMLElement>("[data-print]").forEach((button) => button.addEventListener("click", () => window.print()));
});
