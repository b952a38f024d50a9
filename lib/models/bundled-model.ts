/** The small text-to-image model that comes with this package (models/demo/txt2img, see its README.md). */
import fs from 'node:fs';
import path from 'node:path';
import { LdmError } from '../errors';

const FOLDER = path.join(__dirname, '../../models/demo/txt2img');

/**
 * Folder of the bundled text-to-image model: 64x64 pixels, emoji and avatars. `loadModel` takes it.
 * @throws LdmError ERR_FILE when the weights are not there (a package from which models/ was removed)
 */
export function bundledModel(): string {
  const file = path.join(FOLDER, 'model.safetensors');
  if (fs.existsSync(file)) return FOLDER;
  throw new LdmError('ERR_FILE', `The bundled model is missing: there is no ${file}. Install the package again.`);
}
