// What a word of the trade means, beside the word: on hover, on focus, on tap. Words carry data-term="key of the glossary".
import { words } from "./words";

const WAIT = 250; // ms that the mouse must rest: who only passes is not disturbed
let tip: HTMLElement | undefined;
let shownFor: HTMLElement | undefined;
let timer = 0;

function box(): HTMLElement {
  if (!tip) {
    tip = document.createElement("div");
    tip.id = "term-tip";
    tip.className = "tip";
    tip.setAttribute("role", "tooltip");
    tip.addEventListener("mouseleave", hide);
    document.body.append(tip);
  }
  return tip;
}

function hide(): void {
  window.clearTimeout(timer);
  if (tip) tip.hidden = true;
  shownFor?.removeAttribute("aria-describedby");
  shownFor = undefined;
}

/** Put a box below an element, or above where there is no room, within the window. Positions by script are no inline styles of the page. */
export function place(floating: HTMLElement, by: Element, gap = 6): void {
  const at = by.getBoundingClientRect();
  const { width, height } = floating.getBoundingClientRect();
  const below = at.bottom + gap + height <= window.innerHeight || at.top < height + gap;
  floating.style.top = `${Math.max(gap, Math.min(window.innerHeight - height - gap, below ? at.bottom + gap : at.top - gap - height))}px`;
  floating.style.left = `${Math.max(gap, Math.min(window.innerWidth - width - gap, at.left))}px`;
}

async function show(term: HTMLElement): Promise<void> {
  const { terms, more } = await words();
  const found = terms[term.dataset.term ?? ""];
  if (!found || !term.isConnected) return;
  const [name, means] = found;
  const element = box();
  const title = Object.assign(document.createElement("b"), { textContent: name.split("、")[0] });
  const text = Object.assign(document.createElement("span"), { textContent: means });
  const link = Object.assign(document.createElement("a"), { href: `/help/glossary#${term.dataset.term}`, textContent: more });
  element.replaceChildren(title, text, link);
  element.hidden = false;
  place(element, term);
  shownFor = term;
  term.setAttribute("aria-describedby", element.id);
}

function wordAt(event: Event): HTMLElement | null {
  return event.target instanceof Element ? event.target.closest<HTMLElement>("[data-term]") : null;
}

export function startTerms(): void {
  document.addEventListener("mouseover", (event) => {
    const term = wordAt(event);
    window.clearTimeout(timer);
    if (term && term !== shownFor) timer = window.setTimeout(() => void show(term), WAIT);
    else if (!term && !(event.target as Element).closest?.("#term-tip")) timer = window.setTimeout(hide, WAIT);
  });
  document.addEventListener("focusin", (event) => {
    const term = wordAt(event);
    if (term?.matches(".term")) void show(term);
    else if (!(event.target as Element).closest?.("#term-tip")) hide();
  });
  document.addEventListener("click", (event) => {
    const term = wordAt(event);
    if (!term) return hide();
    if (!term.matches(".term")) return;
    event.preventDefault(); // the first tap tells; the link to all words is in the box
    void show(term);
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  window.addEventListener("scroll", hide, { passive: true });
}
