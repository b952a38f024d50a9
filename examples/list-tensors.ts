/**
 * Lists the tensors of a checkpoint (.ckpt, .pt, .pth, .safetensors) with shape, type and mean. Nothing in the file is executed, and
 * data is read only when it is looked at.
 *
 *     npx tsx examples/list-tensors.ts [FILE] [PREFIX]
 */
import { readCheckpoint } from 'node-ldm';

async function main(): Promise<void> {
  const [file = 'models/demo/txt2img/model.safetensors', prefix = 'first_stage_model.quant_conv'] =
    process.argv.slice(2);
  const checkpoint = await readCheckpoint(file);
  let parameters = 0;
  for (const [name, tensor] of checkpoint.tensors) {
    parameters += tensor.shape.reduce((product, side) => product * side, 1);
    if (!name.startsWith(prefix)) continue;
    using view = tensor.open();
    const mean = await view.to({ dtype: 'float32' }).mean().item();
    console.log(`${name}  [${tensor.shape}]  ${tensor.dtype}  mean ${mean.toFixed(4)}`);
  }
  console.log(`${file}: ${checkpoint.format}, ${checkpoint.tensors.size} tensors, ${parameters} numbers`);
  checkpoint.dispose();
}

main();
