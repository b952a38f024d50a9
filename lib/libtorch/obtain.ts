/** Gets the pinned libtorch: from PyTorch's site, else through pip. */
import fs from 'node:fs';
import path from 'node:path';
import { cacheFolder } from '../cache';
import { digestOfFile, download } from '../download';
import { LdmError } from '../errors';
import { type FoundLibtorch, writeUnpackedRecord } from './find';
import { inspectLibtorch, isUsable, PINNED_VERSION } from './folder';
import { checkHash, recordedHash } from './known-hashes';
import { pipDownload } from './python';
import type { Reporter } from './reporter';
import { libtorchEntries, nvidiaLibraries, unpackZip } from './unpack';
import { type Archive, archiveOf, type VariantChoice } from './variants';

/** Files to unpack; the first is libtorch itself. */
interface Fetched {
  files: string[];
  root: string;
  source: string;
  /** Removes what is not needed after unpacking. */
  cleanUp: () => void;
}

async function fetchDirectly(archive: Archive, reporter: Reporter): Promise<Fetched> {
  const file = path.join(cacheFolder(), archive.file);
  const expected = archive.sha256 ?? recordedHash(archive.file);
  reporter.info(`downloading ${archive.url}`);
  await download({
    url: archive.url,
    file,
    digest: expected === undefined ? undefined : { algorithm: 'sha256', hex: expected },
    onProgress: (done, total) => reporter.progress(archive.file, done, total, 'bytes'),
    onWait: (pid) => reporter.info(`process ${pid} is downloading ${archive.file}; waiting for it`),
  });
  return { files: [file], root: archive.root, source: archive.url, cleanUp: () => fs.rmSync(file, { force: true }) };
}

async function fetchByPip(choice: VariantChoice, reporter: Reporter): Promise<Fetched> {
  const folder = path.join(cacheFolder(), `pip-${process.pid}`);
  reporter.info(`trying \`pip download torch==${PINNED_VERSION}\``);
  try {
    const files = await pipDownload(folder, choice.variant);
    const cleanUp = () => fs.rmSync(folder, { recursive: true, force: true });
    return { files, root: 'torch', source: `pip (${path.basename(files[0])})`, cleanUp };
  } catch (error) {
    fs.rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** The site first; pip when it cannot be reached or sends something else. */
async function fetchAnyhow(choice: VariantChoice, reporter: Reporter): Promise<Fetched> {
  let archive: Archive | undefined;
  let direct: unknown;
  try {
    archive = archiveOf(choice.variant);
    return await fetchDirectly(archive, reporter);
  } catch (error) {
    if (!LdmError.is(error)) throw error;
    direct = error;
    reporter.info(error.message);
  }
  try {
    return await fetchByPip(choice, reporter);
  } catch (error) {
    if (!LdmError.is(error)) throw error;
    throw new LdmError(
      'ERR_SETUP',
      [
        `Found no libtorch and could not get one.`,
        `  download: ${(direct as Error).message}`,
        `  pip:      ${error.message}`,
        `Required: libtorch ${PINNED_VERSION} (${choice.variant}; ${choice.reason}).`,
        `Do one of these: connect to the network and run set-up again; set LDM_LIBTORCH_MIRROR to a mirror of`,
        `download.pytorch.org; unpack a libtorch${archive ? ` (${archive.url})` : ''} and set LIBTORCH to its folder; or install PyTorch`,
        `for a Python on this machine (\`pip install torch==${PINNED_VERSION}\`).`,
      ].join('\n'),
      { cause: error },
    );
  }
}

async function unpackInto(fetched: Fetched, target: string, reporter: Reporter): Promise<void> {
  for (const [index, file] of fetched.files.entries()) {
    const filter = index === 0 ? libtorchEntries(fetched.root) : nvidiaLibraries;
    const written = await unpackZip(file, target, filter, (done, total) =>
      reporter.progress(`unpacking ${path.basename(file)}`, done, total, 'files'),
    );
    if (index === 0 && written === 0) {
      throw new LdmError(
        'ERR_SETUP',
        `${path.basename(file)} holds no ${fetched.root}/lib and ${fetched.root}/include`,
      );
    }
  }
}

/** Puts `fresh` in the place of `target` without a moment at which a half-written folder has that name. */
function replaceFolder(target: string, fresh: string): void {
  const old = `${target}.old-${process.pid}`;
  if (fs.existsSync(target)) fs.renameSync(target, old);
  fs.renameSync(fresh, target);
  fs.rmSync(old, { recursive: true, force: true });
}

/** Gets the build that `choice` names and unpacks it as `target`. Rejects with `ERR_SETUP`. */
export async function obtainLibtorch(
  target: string,
  choice: VariantChoice,
  reporter: Reporter,
): Promise<FoundLibtorch> {
  reporter.info(`getting libtorch ${PINNED_VERSION} (${choice.variant}: ${choice.reason})`);
  const fetched = await fetchAnyhow(choice, reporter);
  const fresh = `${target}.new-${process.pid}`;
  try {
    const file = path.basename(fetched.files[0]);
    const sha256 = await digestOfFile(fetched.files[0], 'sha256');
    const verdict = checkHash(file, sha256, choice.variant === 'cpu' ? archiveOf('cpu').sha256 : undefined);
    const remark = { pinned: 'as pinned', recorded: 'as recorded', new: 'recorded now and checked from now on' }[
      verdict
    ];
    reporter.info(`SHA-256 of ${file}: ${sha256} (${remark})`);

    await unpackInto(fetched, fresh, reporter);
    const folder = inspectLibtorch(fresh);
    if (!isUsable(folder)) throw new LdmError('ERR_SETUP', `${file} is not usable: ${folder.problem}`);
    if (folder.variant !== undefined && folder.variant !== choice.variant) {
      throw new LdmError(
        'ERR_SETUP',
        `${file} is refused: it is a ${folder.variant} build, but ${choice.variant} is wanted. ` +
          `To use it, set LDM_LIBTORCH_VARIANT=${folder.variant}`,
      );
    }
    writeUnpackedRecord(fresh, { version: folder.version, variant: choice.variant, file, sha256 });
    replaceFolder(target, fresh);
    return { ...folder, dir: fs.realpathSync(target), source: fetched.source };
  } finally {
    fs.rmSync(fresh, { recursive: true, force: true });
    fetched.cleanUp();
  }
}
