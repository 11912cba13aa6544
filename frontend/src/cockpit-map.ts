// The cockpit's map: own boundaries, and tiles from outside only where the city has configured some. Whatever is clicked
// leads to a list or to a case. Numbers are written by the page: glyphs for the map's own text would come from elsewhere.
import type { Feature, FeatureCollection, Point } from "geojson";
import * as maplibre from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import { words } from "./words";

maplibre.setWorkerUrl(workerUrl);

interface Division { name: string; open: number; late: number; share: number; href: string; late_href: string; down: string }
interface Drawn {
  cases: FeatureCollection<Point>;
  things: FeatureCollection<Point>;
  units: FeatureCollection<Point>;
  divisions: Record<string, Division>;
  says: string;
}

const NOTHING: FeatureCollection<Point> = { type: "FeatureCollection", features: [] };
const SHADES: [number, string][] = [[0.1, "#fbe3df"], [0.25, "#f4c3bc"], [0.5, "#e8958b"], [0.75, "#d9685c"]];
const EVERY = 30_000; // ms between looks without live events

function style(element: HTMLElement): maplibre.StyleSpecification {
  const { boundaries = "", tiles = "", attribution = "" } = element.dataset;
  const ground: maplibre.LayerSpecification[] = tiles
    ? [{ id: "tiles", type: "raster", source: "tiles" }]
    : [{ id: "ground", type: "background", paint: { "background-color": "#f3f5f8" } }];
  const land = tiles ? 0.35 : 1;
  return {
    version: 8,
    sources: {
      areas: { type: "geojson", data: boundaries, promoteId: "code" },
      cases: { type: "geojson", data: NOTHING, cluster: true, clusterRadius: 44, clusterMaxZoom: 15, clusterProperties: { late: ["+", ["get", "late"]] } },
      points: { type: "geojson", data: NOTHING },
      ...(tiles ? { tiles: { type: "raster" as const, tiles: [tiles], tileSize: 256, attribution } } : {}),
    },
    layers: [
      ...ground,
      { id: "land", type: "fill", source: "areas", paint: { "fill-opacity": land, "fill-color": ["coalesce", ["feature-state", "colour"], "#e6ebf1"] } },
      { id: "earlier", type: "line", source: "areas", filter: ["==", ["get", "current"], false],
        paint: { "line-color": "#b4bfca", "line-width": 1, "line-dasharray": [3, 3] } },
      { id: "line", type: "line", source: "areas", filter: ["==", ["get", "current"], true], paint: { "line-color": "#7d8fa1", "line-width": 1.2 } },
      { id: "heat", type: "heatmap", source: "points", layout: { visibility: "none" },
        paint: { "heatmap-radius": 26, "heatmap-opacity": 0.75, "heatmap-weight": ["case", ["==", ["get", "late"], 1], 2, 1] } },
      { id: "case", type: "circle", source: "cases", filter: ["!", ["has", "point_count"]],
        paint: { "circle-radius": 7, "circle-stroke-width": 2, "circle-stroke-color": "#fff",
          "circle-color": ["case", ["==", ["get", "late"], 1], "#c0291c", "#2f6fbf"] } },
    ],
  };
}

function link(href: string, text: string): HTMLElement {
  const made = document.createElement("a");
  made.href = href;
  made.textContent = text;
  return made;
}

function box(title: string, ...inside: (HTMLElement | string)[]): HTMLElement {
  const made = document.createElement("div");
  made.className = "map-pop";
  const head = document.createElement("b");
  head.textContent = title;
  made.append(head, ...inside);
  return made;
}

function button(kind: string, text: string, label: string): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  made.textContent = text;
  made.setAttribute("aria-label", label);
  return made;
}

interface Sign { layer: string; marker: maplibre.Marker }

class CockpitMap {
  private readonly map: maplibre.Map;
  private readonly says: Record<string, string | undefined>;
  private readonly clusters = new Map<number, maplibre.Marker>();
  private readonly signs = new Map<string, Sign>();
  private divisions: Record<string, Division> = {};
  private shown = new Set<string>();
  private stale = false; // the clusters drawn are those of earlier data, which may have had the same numbers

  constructor(private readonly element: HTMLElement, locale: Record<string, string>) {
    this.says = element.dataset;
    const [lon = 0, lat = 0] = (element.dataset.centre ?? "0,0").split(",").map(Number);
    this.map = new maplibre.Map({
      container: element, style: style(element), center: [lon, lat], zoom: 9, maxZoom: 18, dragRotate: false,
      attributionControl: element.dataset.tiles ? { compact: true } : false, cooperativeGestures: true, locale,
    });
    this.map.addControl(new maplibre.NavigationControl({ showCompass: false }), "top-right");
    this.map.once("load", () => void this.begin());
  }

  private async begin(): Promise<void> {
    const tools = document.querySelector<HTMLElement>("[data-layers]");
    if (tools) {
      tools.hidden = false;
      tools.addEventListener("change", () => this.choose(tools));
      this.choose(tools);
    }
    this.map.on("render", () => this.drawClusters());
    this.map.on("click", "case", (event) => this.openCase(event.features?.[0]));
    this.map.on("click", "land", (event) => this.openDivision(event));
    for (const layer of ["case", "land"]) {
      this.map.on("mouseenter", layer, () => (this.map.getCanvas().style.cursor = "pointer"));
      this.map.on("mouseleave", layer, () => (this.map.getCanvas().style.cursor = ""));
    }
    await this.load(true);
    window.setInterval(() => void this.load(false), EVERY);
    document.body.addEventListener("live:case", () => void this.soon());
  }

  private waiting = false;
  private soon(): void {
    if (this.waiting) return;
    this.waiting = true;
    window.setTimeout(() => {
      this.waiting = false;
      void this.load(false);
    }, 3000);
  }

  private async load(first: boolean): Promise<void> {
    const answer = await fetch(this.element.dataset.cockpitMap ?? "");
    if (!answer.ok) return;
    const drawn = (await answer.json()) as Drawn;
    this.stale = true;
    this.source("cases").setData(drawn.cases);
    this.source("points").setData(drawn.cases);
    this.divisions = drawn.divisions;
    this.shade();
    this.place(drawn);
    const told = document.querySelector<HTMLElement>("[data-map-says]");
    if (told) told.textContent = drawn.says;
    if (first) this.fit([...drawn.cases.features, ...drawn.things.features]);
  }

  private source(name: string): maplibre.GeoJSONSource {
    return this.map.getSource(name) as maplibre.GeoJSONSource;
  }

  private fit(features: Feature<Point>[]): void {
    if (!features.length) return;
    const bounds = new maplibre.LngLatBounds();
    for (const { geometry } of features) bounds.extend(geometry.coordinates as [number, number]);
    this.map.fitBounds(bounds, { padding: 60, maxZoom: 13, duration: 0 });
  }

  private choose(tools: HTMLElement): void {
    this.shown = new Set([...tools.querySelectorAll<HTMLInputElement>("input:checked")].map((input) => input.value));
    this.map.setLayoutProperty("case", "visibility", this.shown.has("cases") ? "visible" : "none");
    this.map.setLayoutProperty("heat", "visibility", this.shown.has("heat") ? "visible" : "none");
    this.shade();
    this.drawClusters();
    for (const { layer, marker } of this.signs.values()) marker.getElement().hidden = !this.shown.has(layer);
  }

  private shade(): void {
    for (const [id, division] of Object.entries(this.divisions)) {
      const shade = SHADES.filter(([from]) => division.share >= from).at(-1)?.[1] ?? null;
      this.map.setFeatureState({ source: "areas", id }, { colour: this.shown.has("late") ? shade : null });
    }
  }

  /** Signs keep their place and what was opened at them; only their words change, and those go that stand for nothing any more. */
  private place(drawn: Drawn): void {
    const seen = new Set<string>();
    for (const { properties, geometry } of drawn.things.features) {
      const warn = properties?.schematic ? `${this.says.schematic}` : "";
      const inside = box(String(properties?.name), String(properties?.text), link(String(properties?.href), `${this.says.list}`), warn);
      seen.add(this.put("things", `station${properties?.open ? " is-hot" : ""}`, properties ?? {}, geometry, inside));
    }
    for (const { properties, geometry } of drawn.units.features) {
      const units = properties?.units as { name: string; open: number; late: number; href: string }[];
      const lines = units.map((unit) => link(unit.href, `${unit.name} ${unit.open} (${this.says.overdue} ${unit.late})`));
      seen.add(this.put("units", "load", properties ?? {}, geometry, box(String(properties?.name), ...lines)));
    }
    for (const [key, { marker }] of this.signs) {
      if (seen.has(key) || marker.getPopup()?.isOpen()) continue;
      marker.remove();
      this.signs.delete(key);
    }
  }

  /** One sign, made or brought up to date; its key. */
  private put(layer: string, kind: string, properties: Record<string, unknown>, at: Point, inside: HTMLElement): string {
    const [name, count] = [String(properties.name), String(properties.open ?? "")];
    const key = [layer, name, ...at.coordinates].join("|");
    const found = this.signs.get(key);
    if (found) {
      const element = found.marker.getElement();
      element.textContent = count;
      element.classList.toggle("is-hot", kind.endsWith("is-hot"));
      found.marker.getPopup()?.setDOMContent(inside);
      return key;
    }
    const element = button(kind, count, name);
    element.hidden = !this.shown.has(layer);
    const marker = new maplibre.Marker({ element }).setLngLat(at.coordinates as [number, number]);
    marker.setPopup(new maplibre.Popup({ offset: 14 }).setDOMContent(inside)).addTo(this.map);
    this.signs.set(key, { layer, marker });
    return key;
  }

  private openCase(feature: maplibre.MapGeoJSONFeature | undefined): void {
    if (!feature) return;
    const { name, number, href } = feature.properties;
    const inside = box(String(name), String(number), link(String(href), `${this.says.case}`));
    new maplibre.Popup({ offset: 8 }).setLngLat((feature.geometry as Point).coordinates as [number, number]).setDOMContent(inside).addTo(this.map);
  }

  private openDivision(event: maplibre.MapLayerMouseEvent): void {
    if (event.originalEvent.target !== this.map.getCanvas()) return; // a sign was meant, which opens its own
    if (this.map.queryRenderedFeatures(event.point, { layers: ["case"] }).length) return;
    const code = event.features?.map((feature) => String(feature.properties.code)).find((each) => each in this.divisions);
    const division = code ? this.divisions[code] : undefined;
    if (!division) return;
    const inside = box(division.name, link(division.href, `${this.says.open} ${division.open}`),
      link(division.late_href, `${this.says.overdue} ${division.late}`), link(division.down, `${this.says.down}`));
    new maplibre.Popup().setLngLat(event.lngLat).setDOMContent(inside).addTo(this.map);
  }

  /** One sign for each cluster in view; those that went out of view are taken away, and all when there are new data. */
  private drawClusters(): void {
    const seen = new Set<number>();
    if (this.shown.has("cases") && this.map.isSourceLoaded("cases")) {
      if (this.stale) this.clearClusters();
      for (const { properties, geometry } of this.map.querySourceFeatures("cases", { filter: ["has", "point_count"] })) {
        const id = Number(properties.cluster_id);
        if (seen.has(id)) continue;
        seen.add(id);
        if (!this.clusters.has(id)) this.clusters.set(id, this.cluster(id, properties, geometry as Point));
      }
    } else if (this.shown.has("cases")) {
      return;
    }
    for (const [id, marker] of this.clusters) {
      if (!seen.has(id)) {
        marker.remove();
        this.clusters.delete(id);
      }
    }
  }

  private clearClusters(): void {
    this.clusters.forEach((marker) => marker.remove());
    this.clusters.clear();
    this.stale = false;
  }

  private cluster(id: number, properties: Record<string, unknown>, at: Point): maplibre.Marker {
    const late = Number(properties.late) > 0;
    const sign = button(`cluster${late ? " is-late" : ""}`, String(properties.point_count), `${String(properties.point_count)} ${this.says.cluster}`);
    sign.addEventListener("click", () => {
      void this.source("cases").getClusterLeaves(id, 8, 0).then((leaves) => this.openCluster(at, leaves, id));
    });
    return new maplibre.Marker({ element: sign }).setLngLat(at.coordinates as [number, number]).addTo(this.map);
  }

  private openCluster(at: Point, leaves: Feature[], id: number): void {
    const inside = box(`${this.says.case}`, ...leaves.map(({ properties }) => link(String(properties?.href), String(properties?.name))));
    new maplibre.Popup({ offset: 14 }).setLngLat(at.coordinates as [number, number]).setDOMContent(inside).addTo(this.map);
    void this.source("cases").getClusterExpansionZoom(id).then((zoom) => this.map.easeTo({ center: at.coordinates as [number, number], zoom: Math.min(zoom, 16) }));
  }
}

export async function showCockpitMap(element: HTMLElement): Promise<void> {
  new CockpitMap(element, (await words()).map);
}
