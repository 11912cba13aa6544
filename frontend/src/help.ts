// Help of this page in a panel at the side, and the first tour. Without a script both are pages of their own.
import { place } from "./terms";

async function openHelp(panel: HTMLDialogElement): Promise<void> {
  if (!panel.childElementCount) {
    const answer = await fetch(panel.dataset.src ?? "", { headers: { "HX-Request": "true" } });
    if (!answer.ok) return void window.location.assign(panel.dataset.src ?? "/help");
    const close = Object.assign(document.createElement("button"), { type: "button", className: "btn-close", autofocus: true });
    close.setAttribute("aria-label", panel.dataset.close ?? "");
    close.addEventListener("click", () => panel.close());
    panel.innerHTML = `<div class="help">${await answer.text()}</div>`; // our own page, from our own server
    panel.prepend(close);
  }
  panel.showModal();
}

function startPanel(): void {
  const panel = document.querySelector<HTMLDialogElement>("dialog#help");
  const link = document.querySelector<HTMLAnchorElement>("a[data-help]");
  if (!panel || !link) return;
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    void openHelp(panel);
  });
  panel.addEventListener("click", (event) => event.target === panel && panel.close());
}

function visible(selector: string): HTMLElement | undefined {
  return [...document.querySelectorAll<HTMLElement>(selector)].find((element) => element.checkVisibility());
}

class Tour {
  private readonly steps: HTMLElement[];
  private now = 0;

  constructor(private readonly form: HTMLFormElement) {
    const all = [...form.querySelectorAll<HTMLElement>("section")];
    this.steps = all.filter((step) => visible(step.dataset.at ?? "")); // what this page does not show now is not spoken of
  }

  start(): void {
    if (!this.steps.length) return;
    this.form.hidden = false;
    this.form.setAttribute("role", "dialog");
    this.form.querySelector("[data-back]")?.addEventListener("click", () => this.show(this.now - 1));
    this.form.querySelector("[data-forward]")?.addEventListener("click", () => this.show(this.now + 1));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.end();
    });
    document.addEventListener("keydown", this.keys);
    window.addEventListener("resize", this.again);
    document.body.addEventListener("htmx:afterSettle", this.again); // a part that refreshed itself is another element
    this.show(0);
  }

  private readonly again = (): void => this.point(this.steps[this.now]!);

  private readonly keys = (event: KeyboardEvent): void => {
    if (event.key === "Escape") this.end();
    if (event.key === "ArrowRight") this.show(this.now + 1);
    if (event.key === "ArrowLeft") this.show(this.now - 1);
  };

  private show(index: number): void {
    if (index >= this.steps.length) return this.end();
    this.now = Math.max(0, index);
    const step = this.steps[this.now]!;
    for (const other of this.form.querySelectorAll<HTMLElement>("section")) other.hidden = other !== step;
    const last = this.now === this.steps.length - 1;
    const forward = this.form.querySelector<HTMLButtonElement>("[data-forward]")!;
    forward.dataset.next ??= forward.textContent ?? "";
    forward.textContent = (last ? forward.dataset.done : forward.dataset.next) ?? "";
    this.form.querySelector<HTMLButtonElement>("[data-back]")!.hidden = this.now === 0;
    this.form.querySelector<HTMLElement>("[data-count]")!.textContent =
      (this.form.dataset.step ?? "").replace("%n", String(this.now + 1)).replace("%all", String(this.steps.length));
    this.form.setAttribute("aria-label", step.querySelector("h2")?.textContent ?? "");
    this.point(step);
    forward.focus({ preventScroll: true });
  }

  private point(step: HTMLElement): void {
    this.unmark();
    const at = visible(step.dataset.at ?? "");
    if (!at) return;
    at.classList.add("is-toured");
    at.scrollIntoView({ block: "center", behavior: "instant" });
    place(this.form, at, 10);
  }

  private unmark(): void {
    document.querySelectorAll(".is-toured").forEach((element) => element.classList.remove("is-toured"));
  }

  private end(): void {
    document.removeEventListener("keydown", this.keys);
    window.removeEventListener("resize", this.again);
    document.body.removeEventListener("htmx:afterSettle", this.again);
    this.unmark();
    this.form.hidden = true;
    void fetch(this.form.action, { method: "POST", body: new FormData(this.form), headers: { "HX-Request": "true" } });
  }
}

export function startHelp(): void {
  startPanel();
  const form = document.querySelector<HTMLFormElement>("form#tour");
  if (form) new Tour(form).start();
}
