/** The settings that pictures of this project carry. */
import { readText } from '../lib/pictures/read-png-text';

/** Null for a picture without any. */
export async function settingsOfFile(file: Blob): Promise<Record<string, unknown> | null> {
  const { settings } = readText(new Uint8Array(await file.arrayBuffer()));
  if (settings === undefined) return null;
  try {
    const values = JSON.parse(settings);
    return typeof values === 'object' && values !== null ? values : null;
  } catch {
    return null;
  }
}
