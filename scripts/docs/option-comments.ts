/** The comments beside the options in lib/config/targets, by target and option: what the config reference says of them. */
import fs from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const FOLDER = path.join(__dirname, '../../lib/config/targets');

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
    if (ts.isCallExpression(node) && node.expression.getText(file) === 'registerTarget') {
      const [target, schema] = node.arguments;
      if (target && schema && ts.isStringLiteral(target)) found.targets.set(target.text, schema);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

const comment = (node: ts.Node, file: ts.SourceFile): string | undefined => {
  const ranges = ts.getLeadingCommentRanges(file.text, node.getFullStart()) ?? [];
  const last = ranges.map(({ pos, end }) => file.text.slice(pos, end)).findLast((text) => text.startsWith('/**'));
  return last
    ?.replace(/^\/\*\*|\*\/$/g, '')
    .replace(/^\s*\* ?/gm, '')
    .replace(/\s+/g, ' ')
    .trim();
};

/** All comments of all targets that are registered by their name in one call. */
export function optionComments(): Map<string, Comments> {
  const sources = new Map([...typeScriptFiles(FOLDER)].map((name) => [name, parse(name)]));

  /** Adds the options of an expression: an object, options({...}), a constant, `.shape` or `.extend(...)` of one. */
  const collect = (node: ts.Expression, source: SourceFile, into: Comments, depth = 0): void => {
    if (depth > 20) return;
    const next = (inner: ts.Expression) => collect(inner, source, into, depth + 1);
    if (ts.isIdentifier(node)) {
      const constant = source.constants.get(node.text);
      const imported = sources.get(source.imports.get(node.text) ?? '');
      if (constant) next(constant);
      else if (imported?.constants.has(node.text))
        collect(imported.constants.get(node.text)!, imported, into, depth + 1);
    } else if (ts.isPropertyAccessExpression(node)) next(node.expression);
    else if (ts.isAsExpression(node) || ts.isSatisfiesExpression(node)) next(node.expression);
    else if (ts.isCallExpression(node)) {
      if (ts.isPropertyAccessExpression(node.expression)) next(node.expression.expression);
      for (const argument of node.arguments) next(argument);
    } else if (ts.isObjectLiteralExpression(node)) {
      for (const property of node.properties) {
        if (ts.isSpreadAssignment(property)) next(property.expression);
        else if (property.name) {
          const text = comment(property, source.file);
          if (text) into.set(property.name.getText(source.file).replace(/['"]/g, ''), text);
        }
      }
    }
  };

  const all = new Map<string, Comments>();
  for (const source of sources.values()) {
    for (const [target, schema] of source.targets) {
      const comments: Comments = new Map();
      collect(schema, source, comments);
      all.set(target, comments);
    }
  }
  return all;
}
