// Pages that a telephone keeps for the field belong to one account in one post, and to one day: all others go. The names of
// the caches say whose they are; frontend/src/field/worker.ts fills them.
export const DAY = "field-day:";

export function today(now = new Date()): string {
  return [now.getFullYear(), now.getMonth() + 1, now.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
}

export function dayOf(owner: string): string {
  return `${DAY}${owner}:${today()}`;
}

/** Drop all kept pages but those of this owner and day; of everybody when nobody is named. */
export async function forgetOthers(owner: string): Promise<void> {
  const names = (await caches.keys()).filter((name) => name.startsWith(DAY) && !(owner && name === dayOf(owner)));
  await Promise.all(names.map((name) => caches.delete(name)));
}

/** How many acts of this owner wait to be sent; written by frontend/src/field/queue.ts. */
export function unsent(): number {
  try {
    return Number(localStorage.getItem("field-unsent")) || 0;
  } catch {
    return 0;
  }
}

/** Signing out empties what is kept before the page is left; what is not sent yet stays, and is spoken of. */
function leaving(event: SubmitEvent): void {
  const form = event.target as HTMLFormElement;
  const says = form.dataset.signOut;
  if (says === undefined) return;
  if (unsent() && !window.confirm(says.replace("{n}", String(unsent())))) return event.preventDefault();
  void forgetOthers("");
}

export function startKept(): void {
  if (!("caches" in window)) return;
  void forgetOthers(document.querySelector<HTMLMetaElement>("meta[name=owner]")?.content ?? "");
  document.addEventListener("submit", leaving);
}
