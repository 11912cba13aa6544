// The field: what a phone in one hand needs beyond the script of every page: acts that wait for a network, a route, an app.
import "../styles/field.css";
import { startActs } from "../field/acts";
import { startHere } from "../field/here";
import { startList } from "../field/list";
import { startQueue } from "../field/queue";
import { startShots } from "../field/shots";
import { all } from "../field/store";

/** The worker keeps pages from the next one on; the page that was there before it is asked for once more. */
async function startWorker(): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  const first = navigator.serviceWorker.controller === null;
  await navigator.serviceWorker.register("/field/worker.js", { scope: "/field" });
  const { active } = await navigator.serviceWorker.ready;
  if (first) active?.postMessage({ take: [window.location.pathname] });
}

/** A link to an act, such as #act-return, opens its form. */
function openNamed(): void {
  document.getElementById(window.location.hash.slice(1))?.setAttribute("open", "");
}

async function start(): Promise<void> {
  openNamed();
  startHere();
  startShots();
  try {
    await all();
  } catch {
    return; // a browser that keeps nothing: forms go straight to the server
  }
  startList();
  startActs();
  await startQueue();
  await startWorker();
}

void start();
