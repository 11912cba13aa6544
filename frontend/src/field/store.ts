// What waits on this telephone to be sent: in IndexedDB, with its photos, until it was taken or thrown away.
import { openDB, type DBSchema, type IDBPDatabase } from "idb";

export interface Picture { name: string; type: string; data: Blob }

/** waiting: to be sent; moved, refused: not taken, its owner decides; done: sent, kept without its content until the list is read anew. */
export type State = "waiting" | "moved" | "refused" | "done";

export interface Item {
  key: string; // the server does what comes under one key once
  owner: string; // account and post, as the page names them
  kind: "move" | "report";
  number: string; // of the case; empty for a report
  title: string;
  label: string; // of the act, in the language in which it was made
  fields: Record<string, string>;
  pictures: Picture[];
  at: number; // ms; what was made first is sent first
  state: State;
  why?: string;
  since?: string[];
  version?: number; // of the case as the server told it last
  seq?: number;
  possible?: boolean;
  href?: string;
}

interface Schema extends DBSchema { items: { key: string; value: Item; indexes: { at: number } } }

let opened: Promise<IDBPDatabase<Schema>> | undefined;

function database(): Promise<IDBPDatabase<Schema>> {
  opened ??= openDB<Schema>("field", 1, {
    upgrade: (db) => void db.createObjectStore("items", { keyPath: "key" }).createIndex("at", "at"),
    terminated: () => (opened = undefined),
  });
  return opened;
}

/** Everything on this telephone, in the order in which it was made. */
export async function all(): Promise<Item[]> {
  return (await database()).getAllFromIndex("items", "at");
}

export async function get(key: string): Promise<Item | undefined> {
  return (await database()).get("items", key);
}

/** Keep some things together or none of them; a full memory throws. */
export async function put(...items: Item[]): Promise<void> {
  const work = (await database()).transaction("items", "readwrite", { durability: "strict" });
  await Promise.all([...items.map((item) => work.store.put(item)), work.done]);
}

export async function drop(...keys: string[]): Promise<void> {
  const work = (await database()).transaction("items", "readwrite");
  await Promise.all([...keys.map((key) => work.store.delete(key)), work.done]);
}

/** A time for a new item that sorts after all others, also when the telephone's clock was set back. */
export async function next(): Promise<number> {
  const last = (await all()).at(-1);
  return Math.max(Date.now(), (last?.at ?? 0) + 1);
}

/** Whether an item has to wait because an earlier one of the same case was not taken. */
export function held(item: Item, items: Item[]): boolean {
  return items.some((other) => other.number !== "" && other.number === item.number && other.owner === item.owner && other.at < item.at
    && other.state !== "done");
}
