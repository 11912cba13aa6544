// Keeps the words beside a due time true while the page is open; the wording comes from the page (data-in, data-late).
const STEPS: [number, string][] = [[86400, "d"], [3600, "h"], [60, "m"]];

function amount(seconds: number, units: Record<string, string>): string {
  const left = Math.abs(seconds);
  const at = STEPS.findIndex(([size]) => left >= size);
  const [size, unit] = STEPS[at < 0 ? STEPS.length - 1 : at]!;
  const whole = Math.floor(left / size);
  const finer = at >= 0 ? STEPS[at + 1] : undefined;
  const rest = finer && whole < 10 ? Math.floor((left - whole * size) / finer[0]) : 0;
  return `${whole}${units[unit]}` + (rest && finer ? ` ${rest}${units[finer[1]]}` : "");
}

function tick(): void {
  const words = document.body.dataset;
  const units = { d: words.unitDay ?? "d", h: words.unitHour ?? "h", m: words.unitMinute ?? "m" };
  for (const element of document.querySelectorAll<HTMLTimeElement>("time[data-due]")) {
    const seconds = (Date.parse(element.dateTime) - Date.now()) / 1000;
    const template = (seconds < 0 ? words.late : words.left) ?? "%s";
    element.textContent = template.replace("%s", amount(seconds, units));
    element.classList.toggle("is-late", seconds < 0);
  }
}

export function startClocks(): void {
  tick();
  window.setInterval(tick, 30_000);
  document.body.addEventListener("htmx:load", tick);
}
