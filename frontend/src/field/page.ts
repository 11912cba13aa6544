// What the scripts of the field know of the page they are on.
export const owner = (): string => document.querySelector<HTMLMetaElement>("meta[name=owner]")?.content ?? "";
export const section = (): HTMLElement | null => document.querySelector<HTMLElement>("[data-queue]");
export const account = (whose: string): string => whose.split("-")[0] ?? "";

/** A sentence of the page's data with its holes filled: `{n}`. */
export function say(element: HTMLElement | null, name: string, values: Record<string, string | number> = {}): string {
  return (element?.dataset[name] ?? "").replace(/\{(\w+)\}/g, (_, hole: string) => String(values[hole] ?? ""));
}

/** The token that Django expects beside the session: the cookie's, for a kept page has an old one. */
export function token(): string {
  const cookie = document.cookie.split("; ").find((pair) => pair.startsWith("csrftoken="));
  return cookie?.slice("csrftoken=".length) ?? document.querySelector<HTMLMetaElement>("meta[name=csrf-token]")?.content ?? "";
}

export function clock(at: number | string): string {
  const time = new Date(at);
  const day = time.toDateString() === new Date().toDateString() ? {} : ({ month: "2-digit", day: "2-digit" } as const);
  return time.toLocaleString(document.documentElement.lang, { ...day, hour: "2-digit", minute: "2-digit", hour12: false });
}

/** The jobs in the order in which the list showed them last, in this tab. */
export function order(): string[] {
  return (sessionStorage.getItem("field-order") ?? "").split(" ").filter(Boolean);
}

export function keepOrder(numbers: string[]): void {
  sessionStorage.setItem("field-order", numbers.join(" "));
}

/** Say something on the page that comes next: what was done, or that it waits. */
export function tellNext(text: string, kind: "success" | "warning"): void {
  sessionStorage.setItem("field-told", JSON.stringify([text, kind]));
}

export function showTold(): void {
  const told = document.querySelector<HTMLElement>("[data-told]");
  const [text = "", kind = ""] = JSON.parse(sessionStorage.getItem("field-told") ?? "[]") as string[];
  sessionStorage.removeItem("field-told");
  if (!told || !text) return;
  told.textContent = text;
  told.classList.add(`alert-${kind}`);
  told.hidden = false;
}
