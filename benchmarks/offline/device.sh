#!/usr/bin/env bash
# On the GPU machine: installs the carried wheels beside what is there, then measures, or runs the
# command that follows.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=${PYTHON:-python3} site=${SITE:-/tmp/site}
"$python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-compile \
  --no-cache-dir --upgrade --target "$site" .accelerator/*.whl
export PYTHONPATH="$PWD/src:$site" PYTHONUNBUFFERED=1
export XLA_PYTHON_CLIENT_PREALLOCATE=false JAX_COMPILATION_CACHE_DIR="$site/jax-cache"
if [ $# -gt 0 ]; then exec "$@"; fi
exec "$python" benchmarks/accelerator.py --out "${OUT:-/tmp}" --seconds 480
