// Where the telephone is, with how well it knows: put into a form when its owner says so.
import { setPoint } from "../maps";
import { say } from "./page";

const WAIT: PositionOptions = { enableHighAccuracy: true, timeout: 20_000, maximumAge: 10_000 };
const ROUGH = 100; // metres; a place worse than that does not find a manhole cover

function find(button: HTMLButtonElement): void {
  const told = button.querySelector<HTMLElement>("span");
  const tell = (text: string): void => void (told && (told.textContent = text));
  button.disabled = true;
  tell(say(button, "finding"));
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      button.disabled = false;
      button.classList.add("is-found");
      setPoint(button.form, coords.longitude, coords.latitude);
      const accuracy = button.form?.querySelector<HTMLInputElement>("input[name=accuracy]");
      if (accuracy) accuracy.value = coords.accuracy.toFixed(1);
      const rough = coords.accuracy > ROUGH && button.dataset.rough !== undefined;
      tell(say(button, rough ? "rough" : "found", { n: Math.max(1, Math.round(coords.accuracy)) }));
    },
    () => {
      button.disabled = false;
      tell(say(button, "failed"));
    },
    WAIT,
  );
}

/** A report asks at once where it has been allowed to before. */
async function atOnce(button: HTMLButtonElement): Promise<void> {
  const allowed = await navigator.permissions?.query({ name: "geolocation" }).catch(() => null);
  if (allowed?.state === "granted") find(button);
}

export function startHere(): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-here]")) {
    if (!("geolocation" in navigator) || !window.isSecureContext) {
      button.parentElement?.setAttribute("hidden", "");
      continue;
    }
    button.addEventListener("click", () => find(button));
    if (button.dataset.atOnce !== undefined) void atOnce(button);
  }
}
