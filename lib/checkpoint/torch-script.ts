/**
 * The weights of a TorchScript archive (torch/csrc/jit/serialization): its `data.pkl` is the tree of modules, whose attributes
 * are tensors, numbers and further modules. The program beside it is not looked at.
 */
import { COST } from './budget';
import type { ByteSource } from './byte-source';
import { damaged } from './errors';
import { MappedTensor } from './mapped-tensor';
import { Global, type Pickled, type PickleWorld } from './pickle-machine';
import { type PickleFile, readPickle, torchWorld } from './torch-pickle';
import { Skipped } from './types';

/** Deeper trees, and trees with more modules and attributes, are refused: a module may be mentioned again and again. */
const DEEPEST = 100;
const MOST_ATTRIBUTES = 200_000;
const LONGEST_NAME = 1000;

/** A class of the program. */
class ScriptClass extends Global {}

/** A module, by its attributes. */
class ScriptObject {
  attributes: ReadonlyMap<Pickled, Pickled> = new Map();
}

/** Reads the module tree as a state dict: tensors under the names of the attributes that lead to them. */
export function readScriptWeights(source: ByteSource, around: PickleFile): Map<string, MappedTensor> {
  const root = readPickle(source, around.file, scriptWorld(torchWorld(around)));
  if (!(root instanceof ScriptObject)) throw damaged(around.file, 'is a TorchScript archive without a module');
  return tensorsOf(root, around.file);
}

function scriptWorld(torch: PickleWorld): PickleWorld {
  return {
    ...torch,
    global(module, name) {
      if (module === '__torch__' || module.startsWith('__torch__.')) return new ScriptClass(module, name);
      // Marks of element types: ('List[int]') and the like.
      if (module === 'torch.jit._pickle') return new Global(module, name);
      return torch.global(module, name);
    },
    call(callee, args, budget) {
      if (callee instanceof ScriptClass) {
        budget.spend(COST.table);
        return new ScriptObject();
      }
      if (callee.module === 'torch.jit._pickle') return args[0] ?? new Skipped(callee.className);
      return torch.call(callee, args, budget);
    },
    build(object, state) {
      if (!(object instanceof ScriptObject)) torch.build(object, state);
      else if (state instanceof Map) object.attributes = state;
    },
  };
}

function tensorsOf(root: ScriptObject, file: string): Map<string, MappedTensor> {
  const tensors = new Map<string, MappedTensor>();
  let visited = 0;
  const visit = (object: ScriptObject, prefix: string, depth: number) => {
    if (depth > DEEPEST) throw damaged(file, `nests more than ${DEEPEST} modules`);
    // Own tensors come first, as in a state dict.
    const modules: [string, ScriptObject][] = [];
    for (const [name, value] of object.attributes) {
      if (++visited > MOST_ATTRIBUTES) throw damaged(file, `has more than ${MOST_ATTRIBUTES} attributes`);
      if (typeof name !== 'string') continue;
      if (prefix.length + name.length > LONGEST_NAME)
        throw damaged(file, `has an attribute with a name of ${prefix.length + name.length} characters`);
      if (value instanceof MappedTensor) tensors.set(prefix + name, value);
      else if (value instanceof ScriptObject) modules.push([name, value]);
    }
    for (const [name, module] of modules) visit(module, `${prefix}${name}.`, depth + 1);
  };
  visit(root, '', 0);
  return tensors;
}
