// A map of our own boundaries only: no tiles from elsewhere, no outside host. One point is shown, or picked.
import type { Feature, FeatureCollection, LineString } from "geojson";
import * as maplibre from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import { setPoint } from "./maps";
import { words } from "./words";

maplibre.setWorkerUrl(workerUrl);

const COLOURS = { land: "#eef2f6", line: "#9fb1c4", earlier: "#c3ccd6", ground: "#f8fafc" };

function style(boundaries: string): maplibre.StyleSpecification {
  return {
    version: 8,
    sources: { areas: { type: "geojson", data: boundaries } },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": COLOURS.ground } },
      { id: "land", type: "fill", source: "areas", paint: { "fill-color": COLOURS.land } },
      { id: "earlier", type: "line", source: "areas", filter: ["==", ["get", "current"], false],
        paint: { "line-color": COLOURS.earlier, "line-width": 1, "line-dasharray": [3, 3] } },
      { id: "line", type: "line", source: "areas", filter: ["==", ["get", "current"], true],
        paint: { "line-color": COLOURS.line, "line-width": 1.2 } },
    ],
  };
}

/** The point that the page names, if it is one on Earth: what a form gave back may be anything. */
function point(element: HTMLElement): [number, number] | null {
  const { lon, lat } = element.dataset;
  return lon && lat ? onEarth(Number(lon), Number(lat)) : null;
}

function onEarth(lon: number, lat: number): [number, number] | null {
  return Math.abs(lon) <= 180 && Math.abs(lat) <= 90 ? [lon, lat] : null;
}

/** Names of the areas, written by the page: glyphs for a map's own text would have to come from somewhere. */
async function label(map: maplibre.Map, boundaries: string): Promise<void> {
  const areas = (await (await fetch(boundaries)).json()) as FeatureCollection;
  const field = document.documentElement.lang.startsWith("en") ? "name_en" : "name";
  for (const { properties } of areas.features) {
    if (!properties?.centre || !properties.current) continue;
    const name = document.createElement("span");
    name.className = "map-name";
    name.textContent = (properties[field] || properties.name) as string;
    new maplibre.Marker({ element: name }).setLngLat(properties.centre as [number, number]).addTo(map);
  }
}

function pickable(map: maplibre.Map, marker: maplibre.Marker, form: HTMLFormElement | null): void {
  const moved = (): void => {
    const { lng, lat } = marker.getLngLat();
    setPoint(form, lng, lat);
  };
  map.on("click", (event) => {
    marker.setLngLat(event.lngLat).addTo(map);
    moved();
  });
  marker.setDraggable(true).on("dragend", moved);
  form?.addEventListener("change", () => {
    const [lon, lat] = ["lon", "lat"].map((name) => Number(form.querySelector<HTMLInputElement>(`input[name=${name}]`)?.value));
    const at = lon && lat ? onEarth(lon, lat) : null;
    if (at) map.easeTo({ center: marker.setLngLat(at).addTo(map).getLngLat() });
  });
}

/** Coarse places with how many stand for each; the map shows them all. */
function spots(map: maplibre.Map, text: string): void {
  const found = JSON.parse(text) as [number, number, number][];
  const all = new maplibre.LngLatBounds();
  for (const [lon, lat, count] of found) {
    const element = document.createElement("span");
    element.className = "map-spot";
    element.textContent = String(count);
    new maplibre.Marker({ element }).setLngLat([lon, lat]).addTo(map);
    all.extend([lon, lat]);
  }
  if (found.length) map.fitBounds(all, { padding: 40, maxZoom: 14, animate: false });
}

interface Stop { lon: number; lat: number; label: string; title: string; href: string }

/** Numbered stops that lead to their pages, with the way between them when they lie along a route; drawn anew when they change. */
class Stops {
  private signs: maplibre.Marker[] = [];

  constructor(private readonly map: maplibre.Map, private readonly element: HTMLElement) {
    map.once("load", () => {
      map.addSource("way", { type: "geojson", data: this.line([]) });
      map.addLayer({ id: "way", type: "line", source: "way", paint: { "line-color": "#1d5fae", "line-width": 2, "line-dasharray": [2, 1] } });
      element.addEventListener("stops", () => this.draw());
      this.draw();
    });
  }

  private line(stops: Stop[]): Feature<LineString> {
    return { type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: stops.map(({ lon, lat }) => [lon, lat]) } };
  }

  private draw(): void {
    const stops = JSON.parse(this.element.dataset.stops ?? "[]") as Stop[];
    const whole = new maplibre.LngLatBounds();
    this.signs.forEach((sign) => sign.remove());
    this.signs = stops.map(({ lon, lat, label, title, href }) => {
      const element = Object.assign(document.createElement("a"), { className: "map-stop", textContent: label, title, href });
      element.setAttribute("aria-label", `${label} ${title}`);
      whole.extend([lon, lat]);
      return new maplibre.Marker({ element }).setLngLat([lon, lat]).addTo(this.map);
    });
    (this.map.getSource("way") as maplibre.GeoJSONSource).setData(this.line(this.element.dataset.line ? stops : []));
    if (stops.length) this.map.fitBounds(whole, { padding: 40, maxZoom: 15, animate: false });
  }
}

export async function showMap(element: HTMLElement): Promise<void> {
  const { boundaries = "", centre = "0,0" } = element.dataset;
  const start = point(element);
  const [lon = 0, lat = 0] = centre.split(",").map(Number);
  const map = new maplibre.Map({
    container: element,
    style: style(boundaries),
    center: start ?? [lon, lat],
    zoom: start ? 11 : 8.5,
    maxZoom: 17,
    attributionControl: false,
    locale: (await words()).map,
    cooperativeGestures: element.dataset.map !== "pick",
    dragRotate: false,
  });
  map.addControl(new maplibre.NavigationControl({ showCompass: false }), "top-right");
  const marker = new maplibre.Marker({ color: "#d63939" });
  if (start) marker.setLngLat(start).addTo(map);
  if (element.dataset.map === "pick") pickable(map, marker, element.closest("form"));
  if (element.dataset.spots) spots(map, element.dataset.spots);
  if (element.dataset.map === "stops") new Stops(map, element);
  void label(map, boundaries);
}
