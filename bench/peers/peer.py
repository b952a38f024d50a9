"""The PyTorch side of the bench: the reference's algorithms in eager fp32, with plain torch.nn.

    python peer.py SPEC

SPEC is JSON: `peer` (a module in workloads/), `settings` (what both sides work on), `threads`, `device`, `compile`, `folder`.
The first line on stdout is `{"ready": ...}`. Each line on stdin, `{"outputs": FILE or null}`, runs the workload once and is
answered by `{"seconds": ...}`; the outputs, as one row of float32, go to the file.
"""

import array
import importlib
import json
import sys
import time
from types import SimpleNamespace

import torch


def write_outputs(file, outputs):
    names = []
    with open(file, "wb") as f:
        for name, value in outputs.items():
            flat = value.detach().float().cpu().reshape(-1)
            array.array("f", flat.tolist()).tofile(f)
            names.append([name, flat.numel()])
    return names


def main():
    spec = json.loads(sys.argv[1], object_hook=lambda d: d)
    torch.set_num_threads(spec["threads"])
    side = SimpleNamespace(device=torch.device(spec["device"]), compile=spec["compile"], folder=spec["folder"])
    workload = importlib.import_module("workloads." + spec["peer"])
    run = workload.setup(spec["settings"], side)
    print(json.dumps({"ready": {"version": torch.__version__}}), flush=True)
    for line in sys.stdin:
        file = json.loads(line)["outputs"]
        start = time.perf_counter()
        outputs = run()
        if side.device.type == "cuda":
            torch.cuda.synchronize()
        answer = {"seconds": time.perf_counter() - start}
        # A workload that measures by itself (a process of its own) tells what it measured.
        answer.update(outputs.pop("measured", {}))
        if file is not None:
            answer["outputs"] = write_outputs(file, outputs)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
