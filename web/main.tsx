/** The page: header, views, messages. */
import { render } from 'preact';
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import type { JobStatus, ModelEntry, ModelInfo, ServerInfo } from '../lib/serve/protocol';
import { type ApiError, getJson, request } from './api';
import { AppContext, type AppState } from './app-context';
import { Icon } from './parts/icons';
import { Problem } from './parts/problem';
import { addressOf, useRoute, VIEWS, type View } from './route';
import {
  addToGallery,
  clearGallery,
  type GalleryItem,
  loadGallery,
  recall,
  remember,
  removeFromGallery,
} from './store';
import { Edit } from './views/edit';
import { Generate } from './views/generate';
import { Models } from './views/models';
import { Reconstruct } from './views/reconstruct';
import { SignIn } from './views/sign-in';
import { Training } from './views/training';

const TITLES: Record<View, string> = {
  generate: 'Generate',
  edit: 'Edit',
  reconstruct: 'Reconstruct',
  models: 'Models',
  training: 'Training',
};

/** How often a server that does not answer is asked again. */
const RETRY_MS = 2000;

function App() {
  const route = useRoute();
  const [server, setServer] = useState<ServerInfo | null>(null);
  const [lost, setLost] = useState(false);
  const connect = useCallback(async () => {
    try {
      setServer(await getJson<ServerInfo>('api/server'));
      setLost(false);
    } catch {
      setLost(true);
    }
  }, []);
  useEffect(() => void connect(), []);
  useEffect(() => {
    if (!lost) return;
    const timer = setInterval(connect, RETRY_MS);
    return () => clearInterval(timer);
  }, [lost]);
  useEffect(() => {
    // A server that went away is noticed when the tab is looked at again.
    const look = () => document.visibilityState === 'visible' && void connect();
    addEventListener('visibilitychange', look);
    return () => removeEventListener('visibilitychange', look);
  }, []);
  useEffect(() => {
    document.title = `${TITLES[route.view]} · node-ldm`;
  }, [route.view]);

  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the content
      </button>
      {lost && (
        <p class="banner" role="alert">
          The server does not answer; trying again… {server ? '' : 'Is it still running?'}
        </p>
      )}
      {server && (server.tokenNeeded ? <SignIn onDone={connect} /> : <Views server={server} route={route} />)}
    </>
  );
}

function Views({ server, route }: { server: ServerInfo; route: ReturnType<typeof useRoute> }) {
  const [models, setModels] = useState<readonly ModelEntry[] | null>(null);
  const [chosen, setChosen] = useState(() => recall<string | null>('model', null));
  const [info, setInfo] = useState<ModelInfo | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [gallery, setGallery] = useState<readonly GalleryItem[]>([]);
  const [edited, setEdited] = useState<Blob | null>(null);
  const [said, setSaid] = useState('');

  const refreshModels = useCallback(async () => {
    try {
      setModels(await getJson<ModelEntry[]>('api/models'));
    } catch (error) {
      setProblem((error as ApiError).message);
    }
  }, []);
  useEffect(() => {
    void refreshModels();
    void loadGallery().then(setGallery);
  }, []);
  const id = useMemo(() => {
    const usable = models?.filter((model) => model.problem === null) ?? [];
    return usable.find((model) => model.id === chosen)?.id ?? usable[0]?.id ?? null;
  }, [models, chosen]);
  useEffect(() => {
    if (id === null) return setInfo(null);
    let current = true;
    setProblem(null);
    getJson<ModelInfo>('api/models/info', { model: id }).then(
      (found) => current && setInfo(found),
      (error: ApiError) => {
        if (!current) return;
        setInfo(null);
        setProblem(error.message);
      },
    );
    return () => {
      current = false;
    };
  }, [id]);
  useEffect(() => {
    if (!said) return;
    const timer = setTimeout(() => setSaid(''), 4000);
    return () => clearTimeout(timer);
  }, [said]);

  const chooseModel = (next: string) => {
    setChosen(next);
    remember('model', next);
  };
  const keep = async (job: JobStatus) => {
    const pictures = job.result!.images.filter(({ role }) => role === 'picture');
    const items = await Promise.all(
      pictures.map(async ({ url, name, width, height, settings }): Promise<GalleryItem> => {
        const blob = await (await request(url)).blob();
        return { id: crypto.randomUUID(), blob, name, width, height, settings, time: Date.now() };
      }),
    );
    for (const item of items) await addToGallery(item);
    setGallery((before) => [...items, ...before]);
  };
  const state: AppState = {
    server,
    models: models ?? [],
    info: info?.id === id ? info : null,
    chooseModel,
    refreshModels,
    gallery,
    keep,
    remove: (item) => {
      void removeFromGallery(item);
      setGallery((before) => before.filter((other) => other.id !== item));
    },
    clear: () => {
      void clearGallery();
      setGallery([]);
    },
    edited,
    edit: setEdited,
    say: setSaid,
  };
  const free = route.view === 'models' || route.view === 'training';

  return (
    <AppContext.Provider value={state}>
      <header class="top">
        <a class="brand" href={addressOf('generate')}>
          <img src="icon.svg" alt="" width="28" height="28" /> <span>node-ldm</span>
        </a>
        <nav aria-label="Views">
          {VIEWS.map((view) => (
            <a key={view} href={addressOf(view)} aria-current={route.view === view ? 'page' : undefined}>
              <Icon name={view} />
              <span>{TITLES[view]}</span>
            </a>
          ))}
        </nav>
        <ModelSelect models={models} id={id} onChoose={chooseModel} />
        <ThemeButton />
      </header>
      <main id="main" tabIndex={-1}>
        <h1 class="hidden">{TITLES[route.view]}</h1>
        <Problem text={problem} />
        {models !== null && id === null && !free ? <NoModel /> : !(problem && !free) && <CurrentView route={route} />}
      </main>
      <div class={`toast${said ? ' shown' : ''}`} role="status" aria-live="polite">
        {said}
      </div>
    </AppContext.Provider>
  );
}

function CurrentView({ route }: { route: ReturnType<typeof useRoute> }) {
  switch (route.view) {
    case 'generate':
      return <Generate query={route.query} />;
    case 'edit':
      return <Edit />;
    case 'reconstruct':
      return <Reconstruct />;
    case 'models':
      return <Models />;
    case 'training':
      return <Training />;
  }
}

function ModelSelect(props: {
  models: readonly ModelEntry[] | null;
  id: string | null;
  onChoose: (id: string) => void;
}) {
  const usable = props.models?.filter(({ problem }) => problem === null) ?? [];
  if (usable.length === 0) return null;
  return (
    <select
      class="model-select"
      aria-label="Model"
      value={props.id ?? ''}
      onChange={(event) => props.onChoose(event.currentTarget.value)}
    >
      {usable.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </select>
  );
}

function NoModel() {
  return (
    <div class="welcome">
      <h2>There is no model yet</h2>
      <p>
        Start the server with one, such as <code>ldm serve logs/my-training</code>, or with a folder of checkpoints:{' '}
        <code>ldm serve --models FOLDER</code>.
      </p>
      <p>
        <a href={addressOf('training')}>Watch trainings</a> works without.
      </p>
    </div>
  );
}

type Theme = 'light' | 'dark';

function ThemeButton() {
  const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  const [theme, setTheme] = useState<Theme>(() => recall<Theme | null>('theme', null) ?? system);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <button
      type="button"
      class="round"
      aria-label={`Switch to ${other} colours`}
      title={`Switch to ${other} colours`}
      onClick={() => {
        setTheme(other);
        remember('theme', other === system ? null : other);
      }}
    >
      <Icon name={theme === 'dark' ? 'sun' : 'moon'} />
    </button>
  );
}

render(<App />, document.getElementById('app')!);
