// Keys of the desk: j and k walk the rows, Enter opens, x selects, / searches, ? shows the keys; on a case, u goes back.
function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]") !== null;
}

function rows(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>("[data-row]")];
}

function current(): number {
  return rows().findIndex((row) => row.classList.contains("is-current"));
}

function choose(index: number): void {
  const all = rows();
  const row = all[Math.max(0, Math.min(index, all.length - 1))];
  if (!row) return;
  all.forEach((other) => other.classList.toggle("is-current", other === row));
  row.querySelector<HTMLAnchorElement>("a")?.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function follow(selector: string): void {
  document.querySelector<HTMLAnchorElement>(selector)?.click();
}

const ACTS: Record<string, () => void> = {
  j: () => choose(current() + 1),
  k: () => choose(current() - 1),
  x: () => rows()[current()]?.querySelector<HTMLInputElement>("input[type=checkbox]")?.click(),
  o: () => rows()[current()]?.querySelector<HTMLAnchorElement>("a")?.click(),
  n: () => follow("[data-next]"),
  u: () => follow("[data-up]"),
  "/": () => document.querySelector<HTMLInputElement>("input[type=search]")?.focus(),
  "?": () => (document.querySelector("#keys") ? document.querySelector<HTMLDialogElement>("#keys")?.showModal() : follow("a[data-help]")),
};

export function startKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const act = ACTS[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  });
}
