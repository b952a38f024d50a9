/**
 * The comments beside the options in lib/config/targets and of the trainer's arguments, by target and option: what the config reference
 * and the JSON schema say of them. Options of nested sections have a path, `ddconfig.ch`.
 */
import fs from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import '../../lib/config/targets';
import { knownTargets } from '../../lib/config/table';

const FOLDER = path.join(__dirname, '../../lib/config/targets');
const TRAINER = path.join(__dirname, '../../lib/config/lightning.ts');

/** What options mean that most data sets have, where they do not say it themselves. */
const OF_DATA_SETS: Readonly<Record<string, string>> = {
  coord: 'Add the pixel coordinates as `coord`.',
  crop_size: 'Side of the square that is cut out; null: none is.',
  data_root: 'The folder that the reference calls `data`; null: `$LDM_DATA`, or `data` in the current folder.',
  degradation: 'How the small image is made of the large one.',
  downscale_f: 'How many times smaller the small image is.',
  flip_p: 'Probability that an image is mirrored.',
  interpolation: 'Filter for resizing.',
  keys: 'Entries of a batch to keep; null: all.',
  max_crop_f: 'Upper end of that part.',
  random_crop: 'Cut a random square instead of the middle one.',
  size: 'Side of the images in pixels; null: as they are.',
};

type Comments = Map<string, string>;

/** What one file defines: initializers by name, imported names by file, and the schemas of its targets. */
interface SourceFile {
  file: ts.SourceFile;
  constants: Map<string, ts.Expression>;
  imports: Map<string, string>;
  targets: Map<string, ts.Expression>;
}

function* typeScriptFiles(folder: string): Generator<string> {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* typeScriptFiles(file);
    else if (entry.name.endsWith('.ts')) yield file;
  }
}

function parse(name: string): SourceFile {
  const file = ts.createSourceFile(name, fs.readFileSync(name, 'utf8'), ts.ScriptTarget.ES2022, true);
  const found: SourceFile = { file, constants: new Map(), imports: new Map(), targets: new Map() };
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer)
      found.constants.set(node.name.text, node.initializer);
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const source = path.join(path.dirname(name), `${node.moduleSpecifier.text}.ts`);
      const names = node.importClause?.namedBindings;
      if (names && ts.isNamedImports(names)) for (const e of names.elements) found.imports.set(e.name.text, source);
    }
    if (ts.isCallExpression(node)) {
      const [first, second, third] = node.arguments;
      const called = node.expression.getText(file);
      if (called === 'registerTarget' && ts.isStringLiteral(first!)) found.targets.set(first.text, second!);
      if (called === 'dataSets')
        for (const module of wordsOf(first!))
          for (const name of wordsOf(second!)) found.targets.set(`${module}.${name}`, third!);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** The texts of a list of literals. */
const wordsOf = (list: ts.Expression): string[] =>
  ts.isArrayLiteralExpression(list) ? list.elements.filter(ts.isStringLiteral).map(({ text }) => text) : [];

const comment = (node: ts.Node, file: ts.SourceFile): string | undefined => {
  const ranges = ts.getLeadingCommentRanges(file.text, node.getFullStart()) ?? [];
  const last = ranges.map(({ pos, end }) => file.text.slice(pos, end)).findLast((text) => text.startsWith('/**'));
  return last
    ?.replace(/^\/\*\*|\*\/$/g, '')
    .replace(/^\s*\* ?/gm, '')
    .replace(/\s+/g, ' ')
    .trim();
};

/** The schema in `section(schema)` with whatever is called on it; undefined where there is none. */
function sectionOf(node: ts.Expression): ts.Expression | undefined {
  if (!ts.isCallExpression(node)) return undefined;
  if (ts.isIdentifier(node.expression) && node.expression.text === 'section') return node.arguments[0];
  return ts.isPropertyAccessExpression(node.expression) ? sectionOf(node.expression.expression) : undefined;
}

/** All comments of all targets that are registered by their name in one call, and of the trainer under `lightning.trainer`. */
export function optionComments(): Map<string, Comments> {
  const sources = new Map([...typeScriptFiles(FOLDER), TRAINER].map((name) => [name, parse(name)]));

  /** Adds the options of an expression: an object, options({...}), a constant, `.shape` or `.extend(...)` of one. */
  const collect = (node: ts.Expression, source: SourceFile, into: Comments, depth = 0): void => {
    if (depth > 20) return;
    const next = (inner: ts.Node) => collect(inner as ts.Expression, source, into, depth + 1);
    if (ts.isIdentifier(node)) {
      const constant = source.constants.get(node.text);
      const imported = sources.get(source.imports.get(node.text) ?? '');
      if (constant) next(constant);
      else if (imported?.constants.has(node.text))
        collect(imported.constants.get(node.text)!, imported, into, depth + 1);
    } else if (ts.isPropertyAccessExpression(node)) next(node.expression);
    else if (ts.isArrowFunction(node)) next(node.body);
    else if (ts.isParenthesizedExpression(node)) next(node.expression);
    else if (ts.isAsExpression(node) || ts.isSatisfiesExpression(node)) next(node.expression);
    else if (ts.isCallExpression(node)) {
      if (ts.isPropertyAccessExpression(node.expression)) next(node.expression.expression);
      else next(node.expression);
      for (const argument of node.arguments) next(argument);
    } else if (ts.isObjectLiteralExpression(node)) {
      for (const property of node.properties) {
        if (ts.isSpreadAssignment(property)) next(property.expression);
        else if (property.name) {
          const name = property.name.getText(source.file).replace(/['"]/g, '');
          const text = comment(property, source.file);
          if (text) into.set(name, text);
          const nested = ts.isPropertyAssignment(property) && sectionOf(property.initializer);
          if (!nested) continue;
          const inner: Comments = new Map();
          collect(nested, source, inner, depth + 1);
          for (const [key, said] of inner) into.set(`${name}.${key}`, said);
        }
      }
    }
  };

  const all = new Map<string, Comments>();
  const trainer: Comments = new Map();
  const lightning = sources.get(TRAINER)!;
  collect(lightning.constants.get('trainerSchema')!, lightning, trainer);
  all.set('lightning.trainer', trainer);
  for (const source of sources.values()) {
    for (const [target, schema] of source.targets) {
      const isDataSet = source.file.fileName.includes('data-sets');
      const comments: Comments = new Map(isDataSet ? Object.entries(OF_DATA_SETS) : []);
      collect(schema, source, comments);
      all.set(target, comments);
    }
  }
  // Those that are registered in loops.
  for (const { target, families } of knownTargets())
    if (families.includes('data set') && !all.has(target)) all.set(target, new Map(Object.entries(OF_DATA_SETS)));
  return all;
}
