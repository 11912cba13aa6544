// Notes that somebody began to write stay in this browser until they are sent.
const PREFIX = "draft:";

function fields(page: HTMLElement): HTMLTextAreaElement[] {
  return [...page.querySelectorAll<HTMLTextAreaElement>("form textarea[name=note]")];
}

function key(page: HTMLElement, field: HTMLTextAreaElement): string {
  const move = field.form?.querySelector<HTMLInputElement>("input[name=move]")?.value ?? "";
  return `${PREFIX}${page.dataset.casePage}:${move}`;
}

function remember(key: string, text: string): void {
  try {
    if (text) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
  } catch {
    // A full or forbidden store: the note is still on the page.
  }
}

/** What was sent is no draft any more; it is known to be sent when the next page says so. */
function forgetSent(page: HTMLElement): void {
  const sent = sessionStorage.getItem("sent");
  sessionStorage.removeItem("sent");
  if (sent && document.querySelector(".alert-success")) localStorage.removeItem(sent);
  if (!page.dataset.casePage) return;
}

export function startDrafts(): void {
  const page = document.querySelector<HTMLElement>("[data-case-page]");
  if (!page) return;
  forgetSent(page);
  for (const field of fields(page)) {
    const own = key(page, field);
    const kept = localStorage.getItem(own);
    if (kept && !field.value) {
      field.value = kept;
      field.closest("details")?.setAttribute("open", "");
    }
    field.addEventListener("input", () => remember(own, field.value));
    field.form?.addEventListener("submit", () => sessionStorage.setItem("sent", own));
  }
}
