/// <reference lib="webworker" />
// The service worker of the field. It keeps the files that its pages are made of, and of the pages the last list and the jobs
// opened today, for one account in one post. A page comes from the network whenever that answers in time. No act goes through it.
import { DAY, dayOf, forgetOthers, today } from "../kept";
import { sendAll, TAG } from "./sending";

declare const self: ServiceWorkerGlobalScope & {
  FILES: string[]; // written before this script by src/chengshu/web/field/app.py
  cookieStore?: { get(name: string): Promise<{ value: string } | null> };
};
interface SyncEvent extends ExtendableEvent { tag: string }

const SHELL = "field-shell:";
const OFFLINE = "/field/offline";
const PATIENCE = 4_000; // ms to wait for the network when there is a kept page
const PUBLIC = new Set(["/map/boundaries.json", "/help/words.json"]);
const PICTURE = /^\/cases\/[A-Za-z0-9-]+\/evidence\//;

async function shell(): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(self.FILES.join("\n")));
  return SHELL + [...new Uint8Array(bytes.slice(0, 6))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function install(): Promise<void> {
  await (await caches.open(await shell())).addAll([...self.FILES, OFFLINE]);
  await self.skipWaiting();
}

/** Pages kept today were made of the files of the version before: that one stays, older ones go. */
async function activate(): Promise<void> {
  const current = await shell();
  const names = (await caches.keys()).filter((name) => name.startsWith(SHELL) && name !== current);
  await Promise.all(names.slice(0, -1).map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function day(): Promise<Cache | null> {
  const name = (await caches.keys()).find((one) => one.startsWith(DAY) && one.endsWith(`:${today()}`));
  return name ? caches.open(name) : null;
}

/** Keep a page that says for whom; an answer that leads to the sign-in empties everything. */
async function keep(request: Request, response: Response): Promise<void> {
  const owner = response.headers.get("X-Kept-For");
  if (response.type === "opaqueredirect" || response.status === 401) return forgetOthers("");
  if (response.status === 403 || response.status === 404) return void (await (await day())?.delete(request.url));
  if (!response.ok || !owner) return;
  await forgetOthers(owner);
  const html = (await response.text()).replace("<body ", `<body data-kept="${new Date().toISOString()}" `);
  const headers = new Headers(response.headers);
  headers.delete("Content-Encoding");
  headers.delete("Content-Length");
  await (await caches.open(dayOf(owner))).put(request.url, new Response(html, { headers }));
  await speak(response.headers.get("Content-Language"));
}

/** The page that says that there is no network speaks the language of the last page. */
async function speak(language: string | null): Promise<void> {
  const cache = await caches.open(await shell());
  const known = (await cache.match(OFFLINE))?.headers.get("Content-Language");
  if (language && known !== language) await cache.add(OFFLINE).catch(() => undefined);
}

async function page(event: FetchEvent): Promise<Response> {
  const fresh = fetch(event.request).then((response) => {
    event.waitUntil(keep(event.request, response.clone()).catch(() => undefined));
    return response;
  });
  const old = await (await day())?.match(event.request.url, { ignoreVary: true });
  if (!old) return fresh.catch(nothing);
  event.waitUntil(fresh.catch(() => undefined));
  const late = new Promise<Response>((resolve) => setTimeout(() => resolve(old), PATIENCE));
  return Promise.race([fresh.then((response) => (response.status >= 500 ? old : response)), late]).catch(() => old);
}

async function nothing(): Promise<Response> {
  return (await caches.match(OFFLINE, { ignoreVary: true })) ?? Response.error();
}

async function file(request: Request): Promise<Response> {
  const kept = await caches.match(request, { ignoreVary: true });
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok && response.type === "basic") await (await caches.open(await shell())).put(request, response.clone());
  return response;
}

async function openly(request: Request): Promise<Response> {
  try {
    const response = await fetch(request);
    if (response.ok) await (await caches.open(await shell())).put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await caches.match(request, { ignoreVary: true });
    if (kept) return kept;
    throw error;
  }
}

async function picture(request: Request): Promise<Response> {
  const cache = await day();
  const kept = await cache?.match(request, { ignoreVary: true });
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok && response.type === "basic") await cache?.put(request, response.clone());
  return response;
}

function answer(event: FetchEvent): void {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate") event.respondWith(page(event));
  else if (url.pathname.startsWith("/static/")) event.respondWith(file(request));
  else if (PUBLIC.has(url.pathname)) event.respondWith(openly(request));
  else if (PICTURE.test(url.pathname)) event.respondWith(picture(request));
}

/** Pages that asked to be kept without being opened: the jobs that somebody takes along, or the page that was there first. */
async function take(paths: string[], port: MessagePort | undefined): Promise<void> {
  let count = 0;
  for (const path of paths) {
    const request = new Request(path, { redirect: "manual" });
    const response = await fetch(request).catch(() => null);
    if (!response) break;
    await keep(request, response.clone());
    count += Number(response.ok);
  }
  port?.postMessage(count);
}

async function sendLater(): Promise<void> {
  const token = (await self.cookieStore?.get("csrftoken"))?.value;
  const owner = (await caches.keys()).find((name) => name.startsWith(DAY))?.split(":")[1];
  if (!token || !owner) return; // a browser that shows its worker no cookies, or nobody who was here today: the next page sends
  const outcome = await sendAll(owner, token);
  if (outcome === "offline" || outcome === "later") throw new Error(outcome); // the browser tries again
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", answer);
self.addEventListener("message", (event) => {
  const paths = (event.data as { take?: string[] }).take;
  // Claimed once more: a page that was loading when this worker began has no worker yet.
  if (paths) event.waitUntil(self.clients.claim().then(() => take(paths, event.ports[0])));
});
self.addEventListener("sync" as never, (event: SyncEvent) => {
  if (event.tag === TAG) event.waitUntil(sendLater());
});
