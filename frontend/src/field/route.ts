// The order in which to go to some places: pure functions, tried by tests/web/test_route.py.
export interface Point { lon: number; lat: number }

const EARTH = 6_371_008.8; // metres, mean radius
const GAIN = 0.5; // metres by which an exchange must shorten the way to be worth it

/** Great-circle distance in metres. */
export function metres(a: Point, b: Point): number {
  const rad = Math.PI / 180;
  const lat = ((b.lat - a.lat) * rad) / 2;
  const lon = ((b.lon - a.lon) * rad) / 2;
  const h = Math.sin(lat) ** 2 + Math.cos(a.lat * rad) * Math.cos(b.lat * rad) * Math.sin(lon) ** 2;
  return 2 * EARTH * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** The length of a way through points, in metres. */
export function length(way: Point[]): number {
  return way.slice(1).reduce((sum, point, i) => sum + metres(way[i] as Point, point), 0);
}

/**
 * In which order to visit `stops`, as their indices: always to the nearest one left, then stretches turned round as long as
 * that shortens the way (2-opt). It begins at `start`, or at the first stop when nobody knows where one is, and ends anywhere.
 */
export function route(stops: Point[], start: Point | null): number[] {
  if (stops.length < 2) return stops.map((_, i) => i);
  const all = start ? [start, ...stops] : stops;
  const found = shorter(all, nearest(all));
  return start ? found.slice(1).map((i) => i - 1) : found;
}

function between(all: Point[], a: number | undefined, b: number | undefined): number {
  return a === undefined || b === undefined ? 0 : metres(all[a] as Point, all[b] as Point);
}

function nearest(all: Point[]): number[] {
  const way = [0];
  const left = new Set(all.keys());
  left.delete(0);
  while (left.size) {
    const here = way.at(-1);
    const next = [...left].reduce((best, one) => (between(all, here, one) < between(all, here, best) ? one : best));
    left.delete(next);
    way.push(next);
  }
  return way;
}

function shorter(all: Point[], way: number[]): number[] {
  for (let better = true; better; ) {
    better = false;
    for (let i = 1; i < way.length - 1; i++) {
      for (let k = i + 1; k < way.length; k++) {
        const before = between(all, way[i - 1], way[i]) + between(all, way[k], way[k + 1]);
        const after = between(all, way[i - 1], way[k]) + between(all, way[i], way[k + 1]);
        if (before - after < GAIN) continue;
        way.splice(i, k - i + 1, ...way.slice(i, k + 1).reverse());
        better = true;
      }
    }
  }
  return way;
}
