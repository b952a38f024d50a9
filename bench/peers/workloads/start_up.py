"""A new process: import to the first result."""

import json
import subprocess
import sys

SCRIPT = """
import time; start = time.perf_counter()
import json, torch
value = (torch.ones(4) + 1).sum().item()
seconds = time.perf_counter() - start
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(json.dumps({"seconds": seconds, "value": value, "peakRss": int(peak[0].split()[1]) * 1024}))
"""


def setup(settings, side):
    import torch

    def run():
        measured = json.loads(subprocess.run([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, check=True).stdout)
        return {"value": torch.tensor(measured.pop("value")), "measured": measured}

    return run
