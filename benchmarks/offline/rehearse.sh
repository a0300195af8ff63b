#!/usr/bin/env bash
# Tries prepare.sh and device.sh on a CPU: a bare Python 3.12 with what the GPU machine has, the
# carried wheels, tiny sizes.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bare=$(mktemp -d)
"${PYTHON:-python3.12}" -m venv "$bare/venv"
export PYTHON="$bare/venv/bin/python" SITE="$bare/site" JAX_PLATFORMS=cpu
"$PYTHON" -m pip install --quiet --disable-pip-version-check \
  'jax>=0.11,<0.12' flax optax chex orbax-checkpoint jaxtyping rich
bash "$here/prepare.sh"
bash "$here/device.sh" "$PYTHON" "$here/../accelerator.py" --tiny --seconds 1800 --out "$bare"
if grep -E '"(error|skipped)"' "$bare/device.jsonl"; then
  echo "the rehearsal failed; its figures are in $bare/device.jsonl" >&2
  exit 1
fi
bash "$here/device.sh" "$PYTHON" -m pytest -q -m device $(cat "$here/device_tests")
echo "the rehearsal went well; its figures are in $bare/device.jsonl"
