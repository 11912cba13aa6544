// Choosing several cases on the desk: how many are chosen, and which of the moves all their states share.
import { onContent } from "./live";

function update(form: HTMLFormElement): void {
  const chosen = [...form.querySelectorAll<HTMLInputElement>("input[name=case]:checked")];
  const bar = form.querySelector<HTMLElement>("[data-bulk]");
  if (!bar) return;
  bar.hidden = chosen.length === 0;
  const count = bar.querySelector<HTMLElement>("[data-bulk-count]");
  if (count) count.textContent = String(chosen.length);
  const states = new Set(chosen.map((box) => box.dataset.state ?? ""));
  for (const option of bar.querySelectorAll<HTMLOptionElement>("option[data-states]")) {
    const from = (option.dataset.states ?? "").split(" ");
    option.hidden = option.disabled = ![...states].every((state) => from.includes(state));
    if (option.disabled) option.selected = false;
  }
}

export function startBulk(): void {
  onContent((root) => {
    for (const form of root.querySelectorAll<HTMLFormElement>("form[data-bulk-form]")) {
      form.querySelector<HTMLInputElement>("[data-all]")?.addEventListener("change", (event) => {
        const checked = (event.target as HTMLInputElement).checked;
        form.querySelectorAll<HTMLInputElement>("input[name=case]").forEach((box) => (box.checked = checked));
        update(form);
      });
      form.addEventListener("change", () => update(form));
      update(form);
    }
  });
}
