// The list: stays where it was on return, says what is new without moving anything, and looks ahead before a bulk move.
const HERE = "desk:here";
const LAST = "desk:last"; // the address of the list that was looked at last

function rowsOf(root: ParentNode): HTMLTableRowElement[] {
  return [...root.querySelectorAll<HTMLTableRowElement>("tr[data-case]")];
}

/** Where somebody left the list, they find it again. */
function keepPlace(list: HTMLElement): void {
  sessionStorage.setItem(LAST, location.pathname + location.search);
  window.addEventListener("pagehide", () => {
    const current = list.querySelector<HTMLElement>("tr.is-current")?.dataset.case ?? "";
    const chosen = [...list.querySelectorAll<HTMLInputElement>("input[name=case]:checked")].map((box) => box.closest("tr")?.dataset.case);
    sessionStorage.setItem(HERE, JSON.stringify({ at: location.pathname + location.search, y: window.scrollY, current, chosen }));
  });
  const kept = JSON.parse(sessionStorage.getItem(HERE) ?? "{}") as { at?: string; y?: number; current?: string; chosen?: string[] };
  if (kept.at !== location.pathname + location.search) return;
  window.scrollTo(0, kept.y ?? 0);
  for (const row of rowsOf(list)) {
    if (row.dataset.case === kept.current) {
      row.classList.add("is-current");
      row.querySelector<HTMLAnchorElement>("a")?.focus({ preventScroll: true });
    }
    const box = row.querySelector<HTMLInputElement>("input[name=case]");
    if (box && kept.chosen?.includes(row.dataset.case ?? "")) box.click();
  }
}

/** On a case, the way back leads to the list it was opened from. */
function wayBack(): void {
  const last = sessionStorage.getItem(LAST);
  if (!last?.startsWith("/desk")) return;
  for (const link of document.querySelectorAll<HTMLAnchorElement>("[data-case-page] ~ * [data-up], p [data-up]")) {
    if (new URL(link.href).pathname === "/desk") link.href = last;
  }
}

async function part(address: string, body?: FormData): Promise<Document | null> {
  const answer = await fetch(address, { headers: { "HX-Request": "true" }, body: body ?? null, method: body ? "POST" : "GET" });
  return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

/** Compare the list with what it is now: rows that changed are marked, those that left are struck, new ones are counted. */
async function refresh(list: HTMLElement, news: HTMLElement): Promise<void> {
  const fresh = await part(location.pathname + location.search);
  if (!fresh) return;
  const now = new Map(rowsOf(fresh).map((row) => [row.dataset.case, row]));
  const shown = rowsOf(list);
  for (const row of shown) {
    const other = now.get(row.dataset.case);
    if (!other) row.classList.add("is-gone");
    else if (other.dataset.version !== row.dataset.version) replace(row, other);
  }
  const known = new Set(shown.map((row) => row.dataset.case));
  const count = [...now.keys()].filter((id) => !known.has(id)).length;
  news.hidden = count === 0;
  const words = count === 1 ? news.dataset.one : news.dataset.many?.replace("{n}", String(count));
  news.querySelector("button > span")!.textContent = words ?? "";
}

/** The new words of a row; what is chosen and where the cursor stands are kept. */
function replace(row: HTMLTableRowElement, other: HTMLTableRowElement): void {
  const chosen = row.querySelector<HTMLInputElement>("input[name=case]")?.checked ?? false;
  const focused = row.contains(document.activeElement);
  row.replaceChildren(...[...other.children].map((cell) => document.importNode(cell, true)));
  row.dataset.version = other.dataset.version;
  row.classList.add("is-changed");
  row.classList.remove("is-gone");
  const box = row.querySelector<HTMLInputElement>("input[name=case]");
  if (box) box.checked = chosen;
  if (focused) row.querySelector<HTMLAnchorElement>("a")?.focus({ preventScroll: true });
}

function watch(list: HTMLElement, news: HTMLElement): void {
  let waiting = 0;
  const soon = (): void => {
    waiting ||= window.setTimeout(() => {
      waiting = 0;
      void refresh(list, news);
    }, 1_500);
  };
  for (const name of ["live:case", "live:resync"]) document.body.addEventListener(name, soon);
  window.setInterval(() => document.visibilityState === "visible" && soon(), 60_000);
  const show = (): void => {
    if (!news.hidden) location.reload();
  };
  news.querySelector("button")?.addEventListener("click", show);
  document.addEventListener("keydown", (event) => {
    if (event.key === "r" && !typing(event)) show();
  });
}

export function typing(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  return event.target instanceof HTMLElement && event.target.closest("input:not([type=checkbox]), textarea, select, dialog[open]") !== null;
}

async function counts(): Promise<void> {
  const nav = document.querySelector<HTMLElement>("[data-counts]");
  const found = nav?.dataset.counts ? await part(nav.dataset.counts) : null;
  for (const count of found?.querySelectorAll<HTMLElement>("span[id]") ?? []) {
    const place = document.getElementById(count.id);
    if (place) place.textContent = count.textContent;
  }
}

/** What a move would do with the chosen cases, shown beside the button that makes it. */
function lookAhead(list: HTMLElement): void {
  list.addEventListener("click", (event) => {
    const button = (event.target as HTMLElement).closest<HTMLButtonElement>("button[data-preview]");
    const form = button?.form;
    if (!button || !form) return;
    event.preventDefault();
    void part(button.dataset.preview ?? "", new FormData(form)).then((found) => {
      const place = form.querySelector<HTMLElement>("[data-foreseen]");
      if (found && place) place.replaceChildren(...[...found.body.childNodes].map((node) => document.importNode(node, true)));
    });
  });
  list.addEventListener("change", () => list.querySelector("[data-foreseen]")?.replaceChildren());
}

export function startList(): void {
  wayBack();
  document.addEventListener("keydown", (event) => {
    if (typing(event)) return;
    if (event.key === "z") document.querySelector<HTMLButtonElement>("form.undo button")?.click();
    if (event.key === "m" && firstMove()) event.preventDefault(); // the letter is not for the field it leads to
  });
  const list = document.querySelector<HTMLElement>("#list");
  const news = document.querySelector<HTMLElement>("[data-news]");
  if (!list || !news) return;
  lookAhead(list);
  keepPlace(list);
  // What was typed is asked for while typing: leaving the box need not ask again, and take the row away that the cursor went to.
  document.querySelector("input[type=search]")?.addEventListener("change", (event) => event.stopPropagation());
  document.body.addEventListener("htmx:afterSettle", () => {
    sessionStorage.setItem(LAST, location.pathname + location.search);
    const saving = document.querySelector<HTMLInputElement>(".views .save input[name=query]");
    if (saving) saving.value = location.pathname + location.search; // the list as it is filtered now
  });
  watch(list, news);
  void counts();
}

/** Open the main move and stand in the first field it needs: the very next key may be Enter. */
function firstMove(): boolean {
  const act = document.querySelector<HTMLDetailsElement>(".acts details.act.is-main, .acts details.act");
  if (!act) return false;
  act.open = true;
  const first = act.querySelector<HTMLElement>("form select, form textarea[required], form button[type=submit]");
  first?.focus();
  return true;
}
