#!/bin/sh
# The shipped models on another CPU: arm64 (Cortex-A72, the Raspberry Pi 4's) under qemu-user, beside this machine.
#
#   tests/arm64/run.sh [PYTHON]
#
# Needs Debian or Ubuntu with its package lists, pip, and a PYTHON that has the runtime (default: .venv/bin/python).
# Nothing is installed and no root is needed: packages are unpacked below build/arm64, about 700 MB, and stay there.
# What it says about correctness holds for the CPU; times under emulation say nothing about any.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
python=${1:-$top/.venv/bin/python}
work=$top/build/arm64
root=$work/root
wheels=$work/wheels
mkdir -p "$work"
cd "$work"

if [ ! -x qemu/usr/bin/qemu-aarch64-static ]; then
  apt-get download -q qemu-user-static
  dpkg-deb -x qemu-user-static_*.deb qemu
fi

# A Python for arm64, from Debian's packages, with apt's state of its own: this machine's stays as it is.
if [ ! -x root/usr/bin/python3.11 ]; then
  mkdir -p apt/lists/partial apt/archives/partial "$root"
  : >apt/status
  echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main' \
    >apt/sources.list
  set -- -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$work/apt" \
    -o Dir::State::status="$work/apt/status" -o Dir::State::lists="$work/apt/lists" \
    -o Dir::Cache="$work/apt" -o Dir::Cache::archives="$work/apt/archives" \
    -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=- -o Debug::NoLocking=1
  apt-get "$@" update
  apt-get "$@" -y --download-only --no-install-recommends install \
    python3.11-minimal libpython3.11-stdlib libstdc++6
  for package in apt/archives/*.deb; do dpkg-deb -x "$package" root; done
fi

# ONNX Runtime reads it, and crashes where it is not an ARM's.
mkdir -p root/proc
cat >root/proc/cpuinfo <<'CPU'
processor	: 0
BogoMIPS	: 108.00
Features	: fp asimd evtstrm crc32 cpuid
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x0
CPU part	: 0xd08
CPU revision	: 3

CPU

# Both engines and what the offline path imports. pip takes markers for those of this machine, hence the list.
if [ ! -d "$wheels" ]; then
  "$python" -m pip install -q --target wheels.part --only-binary=:all: --python-version 3.11 --no-deps \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 \
    --platform manylinux2014_aarch64 \
    numpy onnxruntime ai-edge-litert flatbuffers protobuf backports.strenum
  mv wheels.part "$wheels"
fi

"$python" "$here/check.py" here.json
PYTHONPATH="$wheels:$top:$top/firmware_bridge" OMP_NUM_THREADS=1 \
  qemu/usr/bin/qemu-aarch64-static -cpu cortex-a72 -L "$root" \
  "$root/usr/bin/python3.11" "$here/check.py" arm64.json
"$python" "$here/compare.py" here.json arm64.json
