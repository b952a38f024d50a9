/** What all views share. */
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { JobStatus, ModelEntry, ModelInfo, ServerInfo } from '../lib/serve/protocol';
import type { GalleryItem } from './store';

export interface AppState {
  server: ServerInfo;
  models: readonly ModelEntry[];
  /** The chosen model; null while it is being looked up. */
  info: ModelInfo | null;
  chooseModel: (id: string) => void;
  refreshModels: () => void;
  gallery: readonly GalleryItem[];
  /** Puts the pictures of a finished job into the gallery. */
  keep: (job: JobStatus) => Promise<void>;
  remove: (id: string) => void;
  clear: () => void;
  /** A picture that the Edit view begins with. */
  edited: Blob | null;
  edit: (blob: Blob | null) => void;
  /** Says something for a moment, aloud for screen readers. */
  say: (text: string) => void;
}

export const AppContext = createContext<AppState | null>(null);
export const useApp = () => useContext(AppContext)!;
