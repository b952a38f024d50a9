#!/bin/sh
# sh scripts/gpu/run.sh [DEVICE]: on a machine with PyTorch and a GPU, but without Node and network. Unpacks build/gpu/bundle.tar.xz
# (npm run gpu-bundle) into this copy of the checkout, runs all golden cases on DEVICE (default: cuda) and the bench beside PyTorch, and
# writes what they say to $OUT (default: build/gpu/results). PYTHON names the Python that has PyTorch, BENCH more options of the bench.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
device=${1:-cuda}
python=${PYTHON:-python3}
out=${OUT:-$root/build/gpu/results}
mkdir -p "$out"

# What is there already is this checkout's own and stays.
work=$root/build/gpu/work
mkdir -p "$work"
[ -e "$work/bin/node" ] || tar -C "$work" -xf build/gpu/bundle.tar.xz ./bin
for part in node_modules dist prebuilds; do
  [ -e "$part" ] || tar -xf build/gpu/bundle.tar.xz "./$part"
done
export PATH="$work/bin:$PATH"
LIBTORCH=$("$python" -c 'import os, torch; print(os.path.dirname(torch.__file__))')
export LIBTORCH PREBUILDS_ONLY=1

status=0
node bin/ldm.js doctor >"$out/doctor.txt" 2>&1 || true
golden="test/golden/cases"
[ -d ../shared/golden/cases ] && golden="$golden ../shared/golden/cases"
# shellcheck disable=SC2086  # several folders
node --import tsx test/golden/runner/run.ts --device "$device" $golden >"$out/golden.txt" 2>&1 || status=1
tail -n 1 "$out/golden.txt"
for precision in fp32 bf16; do
  # shellcheck disable=SC2086  # several options
  node bin/ldm.js bench --device "$device" --precision "$precision" --python "$python" --output "$out" ${BENCH:-} \
    >"$out/bench-$precision.txt" 2>&1 || status=1
done
LDM_CUDA_GRAPHS=1 node bin/ldm.js bench --device "$device" --only churches-ddim-50 demo-ddim-50 --precision bf16 --python "$python" \
  ${BENCH:-} >"$out/bench-graphs.txt" 2>&1 || true
exit $status
