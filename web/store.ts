/** What is kept in the browser: settings in localStorage, pictures in IndexedDB. Both may be refused; then nothing is kept. */

export function recall<T>(key: string, otherwise: T): T {
  try {
    const text = localStorage.getItem(`ldm.${key}`);
    return text === null ? otherwise : (JSON.parse(text) as T);
  } catch {
    return otherwise;
  }
}

export function remember(key: string, value: unknown): void {
  try {
    localStorage.setItem(`ldm.${key}`, JSON.stringify(value));
  } catch {
    // Full, or forbidden.
  }
}

/** A picture of the gallery. */
export interface GalleryItem {
  id: string;
  blob: Blob;
  name: string;
  width: number;
  height: number;
  settings: Record<string, unknown> | null;
  time: number;
}

/** Pictures that are kept, at most. */
const KEPT = 200;

const database: Promise<IDBDatabase | null> = new Promise((resolve) => {
  try {
    const opening = indexedDB.open('ldm', 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore('gallery', { keyPath: 'id' });
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => resolve(null);
  } catch {
    resolve(null);
  }
});

async function transaction<T>(
  mode: IDBTransactionMode,
  use: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T | null> {
  const db = await database;
  if (!db) return null;
  return new Promise((resolve) => {
    const asked = use(db.transaction('gallery', mode).objectStore('gallery'));
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => resolve(null);
  });
}

/** The latest first. */
export async function loadGallery(): Promise<GalleryItem[]> {
  const items = (await transaction<GalleryItem[]>('readonly', (store) => store.getAll())) ?? [];
  items.sort((a, b) => b.time - a.time);
  for (const item of items.splice(KEPT)) await removeFromGallery(item.id);
  return items;
}

export const addToGallery = (item: GalleryItem) => transaction('readwrite', (store) => store.put(item));
export const removeFromGallery = (id: string) => transaction('readwrite', (store) => store.delete(id));
export const clearGallery = () => transaction('readwrite', (store) => store.clear());
