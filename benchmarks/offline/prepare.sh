#!/usr/bin/env bash
# Gathers in .accelerator/ what a GPU machine with Python 3.12 and without a network lacks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
names='beartype blinker brax cloudpickle docstring-parser dotmap evosax flask flask-cors glfw
  gymnax iniconfig itsdangerous jaxopt ml-collections mujoco mujoco-core mujoco-mjx packaging pluggy
  pygments pyopengl pytest six tensorboardx tomlkit trimesh typeguard tyro'
wanted=()
for name in $names; do
  if ! line=$(grep -iE "^${name}==" requirements.lock); then
    echo "$name is not in requirements.lock" >&2
    exit 1
  fi
  wanted+=("${line%% ;*}")
done
platforms=()
for platform in manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014 manylinux1; do
  platforms+=(--platform "${platform}_x86_64")
done
rm -rf .accelerator
mkdir -p .accelerator
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
  --python-version 3.12 --implementation cp "${platforms[@]}" -d .accelerator "${wanted[@]}"
echo "${#wanted[@]} wheels, $(du -sh .accelerator | cut -f1) in .accelerator"
