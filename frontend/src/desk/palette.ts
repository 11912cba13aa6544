// Go anywhere or make a move by typing: `.` or Ctrl-K. Moves come from the page, everything else from the server.
import { typing } from "./list";
import { isTelephone, mayBecome } from "./telephone";

interface Entry { element: HTMLElement; run: () => void }

function fits(words: string, typed: string): boolean {
  return typed.toLowerCase().split(/\s+/).every((word) => words.toLowerCase().includes(word));
}

/** The moves of this page: on a case those of its forms, on a list those for the rows chosen. */
function moves(): { name: string; run: () => void }[] {
  const acts = [...document.querySelectorAll<HTMLDetailsElement>(".acts details.act")].filter((act) => act.querySelector("form"));
  const onCase = acts.map((act) => ({ name: act.querySelector("summary")?.textContent?.trim() ?? "", run: () => openAct(act) }));
  const bulk = document.querySelector<HTMLElement>("[data-bulk]:not([hidden])");
  const options = [...(bulk?.querySelectorAll<HTMLOptionElement>("option[data-states]:not([disabled])") ?? [])];
  const onList = options.map((option) => ({ name: option.textContent?.trim() ?? "", run: () => chooseMove(bulk!, option) }));
  const undo = document.querySelector<HTMLButtonElement>("form.undo button");
  const back = undo ? [{ name: undo.textContent?.trim() ?? "", run: () => undo.click() }] : [];
  return [...onCase, ...onList, ...back];
}

function openAct(act: HTMLDetailsElement): void {
  act.open = true;
  act.scrollIntoView({ block: "nearest" });
  const needed = act.querySelector<HTMLElement>("form select, form textarea[required], form input[required]");
  (needed ?? act.querySelector<HTMLElement>("button[type=submit]"))?.focus();
}

function chooseMove(bar: HTMLElement, option: HTMLOptionElement): void {
  option.selected = true;
  option.parentElement?.dispatchEvent(new Event("change", { bubbles: true }));
  bar.querySelector<HTMLButtonElement>("button[data-preview]")?.click();
  bar.querySelector<HTMLButtonElement>("button.btn-primary")?.focus();
}

export function startPalette(): void {
  const dialog = document.querySelector<HTMLDialogElement>("#palette");
  const input = dialog?.querySelector("input");
  const list = dialog?.querySelector("ul");
  if (!dialog || !input || !list) return;
  let entries: Entry[] = [];
  let chosen = 0;
  let asked = 0;

  const mark = (index: number): void => {
    if (entries.length === 0) return;
    chosen = (index + entries.length) % entries.length;
    entries.forEach(({ element }, place) => {
      element.id = `palette-${place}`;
      element.setAttribute("aria-selected", String(place === chosen));
    });
    entries[chosen]!.element.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", `palette-${chosen}`);
  };
  const follow = (element: HTMLElement): void => {
    const link = element.querySelector<HTMLAnchorElement>("a");
    if (link) return link.click();
    const form = dialog.querySelector("form");
    const field = form?.querySelector<HTMLInputElement>("[name=telephone]");
    if (!form || !field) return;
    field.value = input.value.trim();
    form.submit();
  };
  const fill = (found: HTMLElement[]): void => {
    const typed = input.value.trim();
    const own = moves().filter((move) => fits(move.name, typed)).map(({ name, run }, place) => {
      const element = document.createElement("li");
      const button = document.createElement("button");
      element.setAttribute("role", "option");
      if (place === 0) element.dataset.group = dialog.dataset.acts ?? "";
      button.type = "button";
      button.tabIndex = -1;
      button.textContent = name;
      element.append(button);
      return { element, run };
    });
    entries = [...own, ...found.map((element) => ({ element, run: () => follow(element) }))];
    list.replaceChildren(...entries.map(({ element }) => element));
    mark(0);
  };
  const dial = (): HTMLElement[] => {
    const offer = isTelephone(input.value) ? dialog.querySelector("template")?.content.firstElementChild : null;
    return offer ? [document.importNode(offer, true) as HTMLElement] : [];
  };
  const ask = async (meant = false): Promise<void> => {
    const turn = ++asked;
    if (isTelephone(input.value) || (mayBecome(input.value) && !meant)) return fill(dial());
    const answer = await fetch(`${dialog.dataset.palette}?q=${encodeURIComponent(input.value.trim())}`, { headers: { "HX-Request": "true" } });
    if (!answer.ok || turn !== asked) return;
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    fill([...found.querySelectorAll<HTMLElement>("li")].map((item) => document.importNode(item, true)));
  };
  const open = (): void => {
    input.value = "";
    fill([]);
    dialog.showModal();
    input.focus();
    void ask();
  };
  const run = (index: number): void => {
    const entry = entries[index];
    if (!entry || !dialog.open) return;
    dialog.close();
    entry.run();
  };

  let pause = 0;
  input.addEventListener("input", () => {
    window.clearTimeout(pause);
    pause = window.setTimeout(() => {
      pause = 0;
      void ask();
    }, 120);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      mark(chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (!pause && entries.length > 0) return run(chosen);
      window.clearTimeout(pause); // typed faster than the answer came, or not asked yet
      pause = 0;
      void ask(true).then(() => run(0));
    }
  });
  list.addEventListener("click", (event) => {
    const item = (event.target as HTMLElement).closest("li");
    const index = entries.findIndex(({ element }) => element === item);
    if (index >= 0 && !(event.target as HTMLElement).closest("a")) run(index);
  });
  document.addEventListener("keydown", (event) => {
    const wanted = (event.key === "." && !typing(event)) || (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey));
    if (!wanted || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    open();
  });
  for (const button of document.querySelectorAll("[data-palette-open]")) button.addEventListener("click", open);
}
