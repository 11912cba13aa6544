// Where a case is: the map is loaded only when one comes into view; the device's place fills the fields.
import { onContent } from "./live";

function whenSeen(element: HTMLElement): void {
  const watcher = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) {
      watcher.disconnect();
      void import("./map").then(({ showMap }) => showMap(element)).catch(() => (element.hidden = true));
    }
  }, { rootMargin: "200px" });
  element.hidden = false;
  watcher.observe(element);
}

function locate(button: HTMLButtonElement): void {
  if (!("geolocation" in navigator) || !window.isSecureContext) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    button.disabled = true;
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        button.disabled = false;
        setPoint(button.form, coords.longitude, coords.latitude);
      },
      () => {
        button.disabled = false;
        button.textContent = button.dataset.failed ?? button.textContent;
      },
      { enableHighAccuracy: true, timeout: 15_000 },
    );
  });
}

/** Put a WGS 84 point into the fields of a form and tell the map. */
export function setPoint(form: HTMLFormElement | null, lon: number, lat: number): void {
  for (const [name, value] of [["lon", lon], ["lat", lat]] as const) {
    const field = form?.querySelector<HTMLInputElement>(`input[name=${name}]`);
    if (!field) continue;
    field.value = value.toFixed(6);
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

export function startMaps(): void {
  onContent((root) => {
    root.querySelectorAll<HTMLElement>("[data-map]").forEach(whenSeen);
    root.querySelectorAll<HTMLButtonElement>("button[data-locate]").forEach(locate);
  });
}
