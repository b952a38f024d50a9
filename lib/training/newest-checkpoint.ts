/** `logs/*_photos-autoencoder/checkpoints/last.ckpt`: the newest checkpoint of a name whose log folder has its time before it. */
import fs from 'node:fs';
import path from 'node:path';
import { type Config, parseDotlist } from '../config';
import { LdmError } from '../errors';

const PLACES = ['model.params.first_stage_config.params.ckpt_path', 'model.params.ckpt_path'];

/**
 * The config with patterns in its checkpoints' paths replaced by the newest file that matches; `*` stands for any letters of
 * one folder's or file's name. Paths without `*` stay as they are.
 * @throws LdmError ERR_FILE when nothing matches
 */
export function withNewestCheckpoints(config: Config, onInfo?: (message: string) => void): Config {
  const found = PLACES.flatMap((place) => {
    const pattern = config.get(place);
    if (typeof pattern !== 'string' || !pattern.includes('*') || fs.existsSync(pattern)) return [];
    const file = newestMatch(pattern);
    if (file === undefined)
      throw new LdmError(
        'ERR_FILE',
        `No file matches ${pattern} (${place}). Train that stage first, or give its checkpoint: ${place}=FILE`,
      );
    onInfo?.(`${place}: ${file}`);
    return [`${place}=${JSON.stringify(file)}`];
  });
  return found.length > 0 ? config.merge(parseDotlist(found)) : config;
}

/** The match that was written last. */
export function newestMatch(pattern: string): string | undefined {
  const { root } = path.parse(pattern);
  let places = [root];
  for (const part of pattern.slice(root.length).split(/[\\/]+/))
    places = part.includes('*')
      ? places.flatMap((place) => matchesIn(place, part))
      : places.map((place) => path.join(place, part));
  const files = places.filter((file) => fs.existsSync(file));
  return files.sort((a, b) => fs.statSync(a).mtimeMs - fs.statSync(b).mtimeMs).at(-1);
}

function matchesIn(folder: string, part: string): string[] {
  const letters = part.split('*').map((text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const expression = new RegExp(`^${letters.join('.*')}$`);
  let names: string[] = [];
  try {
    names = fs.readdirSync(folder === '' ? '.' : folder);
  } catch {}
  return names.filter((name) => !name.startsWith('.') && expression.test(name)).map((name) => path.join(folder, name));
}
