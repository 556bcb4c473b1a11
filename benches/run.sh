#!/bin/sh
# Builds Nullink, its peers and a floor, measures them in one run, and prints the ratios.
#
#   benches/run.sh          about 15 minutes; writes RESULTS.md and benches/results.svg
#   benches/run.sh quick    about 2 minutes; writes both into benches/peers/target
set -eu
cd "$(dirname "$0")/peers"

for tool in cargo python3 valgrind strace strip; do
    command -v "$tool" >/dev/null || { echo "run: needs $tool" >&2; exit 1; }
done
ulimit -n 4096 2>/dev/null || true

# Each package alone, so that cargo does not add the features that one needs to the others.
for package in client floor peer-nullink peer-varlink peer-zlink; do
    cargo build --quiet --locked --release --package "$package"
done
for package in floor peer-nullink peer-varlink peer-zlink; do
    cargo build --quiet --locked --profile small --package "$package"
done
exec python3 run.py "$@"
