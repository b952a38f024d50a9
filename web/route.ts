/** The address: `#/generate?prompt=...` names the view and, in shared links, the settings. */
import { useEffect, useState } from 'preact/hooks';

export const VIEWS = ['generate', 'edit', 'reconstruct', 'models', 'training'] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  view: View;
  query: URLSearchParams;
}

function current(): Route {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const view = VIEWS.find((name) => name === path) ?? 'generate';
  return { view, query: new URLSearchParams(query) };
}

export function useRoute(): Route {
  const [route, set] = useState(current);
  useEffect(() => {
    const update = () => set(current());
    addEventListener('hashchange', update);
    return () => removeEventListener('hashchange', update);
  }, []);
  return route;
}

export const addressOf = (view: View, query: Record<string, string> = {}) => {
  const text = new URLSearchParams(query).toString();
  return `#/${view}${text ? `?${text}` : ''}`;
};
