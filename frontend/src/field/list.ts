// The list of jobs: by due time or along a route from where one stands, on a map, and taken along to where there is no network.
import { keepOrder, owner, say } from "./page";
import { onQueue } from "./queue";
import { length, metres, route, type Point } from "./route";
import type { Item } from "./store";

const WAIT: PositionOptions = { enableHighAccuracy: true, timeout: 15_000, maximumAge: 60_000 };

const jobs = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>("[data-job]")];

function point(job: HTMLElement): Point | null {
  const { lon, lat } = job.dataset;
  return lon && lat ? { lon: Number(lon), lat: Number(lat) } : null;
}

function position(): Promise<Point | null> {
  if (!("geolocation" in navigator) || !window.isSecureContext) return Promise.resolve(null);
  return new Promise((resolve) => {
    navigator.geolocation.getCurrentPosition(({ coords }) => resolve({ lon: coords.longitude, lat: coords.latitude }), () => resolve(null), WAIT);
  });
}

class List {
  private readonly byDue = jobs();
  private readonly tools = document.querySelector<HTMLElement>("[data-order]");

  constructor(private readonly root: HTMLElement) {
    for (const button of this.tools?.querySelectorAll<HTMLButtonElement>("[data-order-by]") ?? []) {
      button.addEventListener("click", () => void this.choose(button.dataset.orderBy === "route"));
    }
    this.arrange(this.byDue, false);
    if (this.tools && sessionStorage.getItem("field-by") === "route") void this.choose(true);
  }

  private async choose(byRoute: boolean): Promise<void> {
    sessionStorage.setItem("field-by", byRoute ? "route" : "due");
    for (const button of this.tools?.querySelectorAll<HTMLElement>("[data-order-by]") ?? []) {
      button.setAttribute("aria-pressed", String((button.dataset.orderBy === "route") === byRoute));
    }
    if (!byRoute) return this.arrange(this.byDue, false);
    this.tell(say(this.tools, "finding"));
    this.alongRoute(await position());
  }

  private alongRoute(start: Point | null): void {
    const placed = this.byDue.filter((job) => point(job));
    const points = placed.map((job) => point(job) as Point);
    const way = route(points, start);
    const unplaced = this.byDue.filter((job) => !point(job));
    this.arrange([...way.map((i) => placed[i] as HTMLElement), ...unplaced], true);
    const legs = way.map((i) => points[i] as Point);
    legs.forEach((to, i) => this.far(placed[way[i] as number] as HTMLElement, (i ? legs[i - 1] : start) ?? null, to));
    const whole = length(start ? [start, ...legs] : legs);
    this.tell([
      say(this.tools, start ? "fromHere" : "fromFirst", { far: this.distance(whole) }),
      unplaced.length ? say(this.tools, "unplaced", { n: unplaced.length }) : "",
    ].filter(Boolean).join(" "));
  }

  /** How far it is from the stop before. */
  private far(job: HTMLElement, from: Point | null, to: Point): void {
    const told = job.querySelector<HTMLElement>("[data-far]");
    if (told) told.textContent = from ? `· ${this.distance(metres(from, to))}` : "";
  }

  private distance(far: number): string {
    return far < 995 ? say(this.tools, "metres", { n: Math.round(far / 10) * 10 }) : say(this.tools, "kilometres", { n: (far / 1000).toFixed(1) });
  }

  private tell(text: string): void {
    const told = this.tools?.querySelector<HTMLElement>("[data-order-says]");
    if (told) told.textContent = text;
  }

  private arrange(all: HTMLElement[], numbered: boolean): void {
    if (!numbered) this.tell("");
    this.root.replaceChildren(...all, ...[...this.root.children].filter((child) => !(child as HTMLElement).dataset.job));
    all.forEach((job, i) => {
      const sign = job.querySelector<HTMLElement>("[data-stop]");
      if (sign) sign.textContent = String(i + 1);
      if (sign) sign.hidden = !numbered;
      if (!numbered) job.querySelector("[data-far]")?.replaceChildren();
    });
    keepOrder(all.map((job) => job.dataset.job ?? ""));
    this.draw(all, numbered);
  }

  /** The map asks for its stops when it is opened, and again whenever their order changes. */
  private draw(all: HTMLElement[], line: boolean): void {
    const map = document.querySelector<HTMLElement>("[data-map=stops]");
    if (!map) return;
    const stops = all.map((job, i) => ({ ...point(job), label: String(i + 1), title: job.dataset.title, href: job.dataset.href }));
    map.dataset.stops = JSON.stringify(stops.filter((stop) => stop.lon !== undefined));
    map.dataset.line = line ? "true" : "";
    map.dispatchEvent(new Event("stops"));
  }
}

/** Jobs with an act that waits say so, and offer nothing twice. */
function reflect(items: Item[]): void {
  for (const job of jobs()) {
    const own = items.filter((item) => item.number === job.dataset.job && item.owner === owner());
    const last = own.at(-1);
    const told = job.querySelector<HTMLElement>("[data-queued]");
    const root = document.querySelector<HTMLElement>("[data-queue]");
    if (!told) continue;
    told.hidden = !last;
    job.classList.toggle("is-queued", last !== undefined && last.state !== "moved" && last.state !== "refused");
    if (last) told.querySelector("span")?.replaceChildren(`${last.label}: ${say(root, last.state)}`);
  }
}

/** Let the worker fetch every job of the list, so that each opens without a network. */
function takeAlong(button: HTMLButtonElement): void {
  const worker = navigator.serviceWorker?.controller;
  button.hidden = !worker;
  if (!worker) return;
  button.disabled = true;
  const paths = jobs().map((job) => job.dataset.href ?? "");
  const channel = new MessageChannel();
  channel.port1.onmessage = ({ data }: MessageEvent<number>) => {
    button.disabled = false;
    button.textContent = say(button, data === paths.length ? "done" : "failed", { n: data });
  };
  worker.postMessage({ take: paths }, [channel.port2]);
}

function startTaking(button: HTMLButtonElement): void {
  if (!("serviceWorker" in navigator)) return;
  button.hidden = !navigator.serviceWorker.controller;
  button.addEventListener("click", () => takeAlong(button));
  navigator.serviceWorker.addEventListener("controllerchange", () => (button.hidden = !navigator.serviceWorker.controller));
}

export function startList(): void {
  const root = document.querySelector<HTMLElement>("[data-jobs]");
  if (!root) return;
  new List(root);
  onQueue(reflect);
  const button = document.querySelector<HTMLButtonElement>("[data-take]");
  if (button) startTaking(button);
}
