/** `torch.nn.Identity`: a loss, a cond stage or anything else that does nothing. */
import { keysOf } from '../resolve';
import { findTarget, registerTarget } from '../table';
import { options } from '../types';
import './losses';

const lossKeys = [
  'ldm.modules.losses.LPIPSWithDiscriminator',
  'ldm.modules.losses.vqperceptual.VQLPIPSWithDiscriminator',
].flatMap((target) => keysOf(findTarget(target)!.schema));

// It takes any arguments: the params of a loss may stay when only the target is exchanged.
registerTarget('torch.nn.Identity', options({}), { ignored: lossKeys });
