#!/bin/sh
# Runs the conformance suite on Nullink and on other implementations. Writes TABLE.md, and the last
# column of docs/promises.md.
#
#   tests/conformance/table.sh
#
# Needs Python 3 and access to the registries of Rust, Python and Debian. What cannot be built is
# named, and not in the table.
set -eu
cd "$(dirname "$0")/../.."
peers=tests/conformance/peers
build=${CARGO_TARGET_DIR:-target}/conformance
results=$build/results
sockets=$(mktemp -d)
trap 'rm -rf "$sockets"' EXIT
rm -rf "$results"
mkdir -p "$results"

cargo build --quiet --locked --features tools --example conform --example conformance
examples=${CARGO_TARGET_DIR:-target}/debug/examples

# run NAME VERSION PREFIX LIMIT SERVICE... -- CLIENT...
#
# The programs get PREFIX and the path of the socket as their last argument.
run() {
    name=$1 version=$2 prefix=$3 limit=$4
    shift 4
    echo "$version" >"$results/$name.version"
    service=
    while [ "$1" != -- ]; do
        service="$service $1"
        shift
    done
    shift
    # shellcheck disable=SC2086
    "$examples/conform" --json $limit "unix:$sockets/$name" -- $service "$prefix$sockets/$name" \
        >"$results/$name.service" || [ $? = 1 ]
    "$examples/conform" --json --client "unix:$sockets/$name.c" -- "$@" "$prefix$sockets/$name.c" \
        >"$results/$name.client" || [ $? = 1 ]
    sed -i "s|$sockets/|/tmp/|g" "$results/$name.service" "$results/$name.client"
    echo "$name: done"
}

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
# The longest message is the length of the receive buffer in examples/conformance.rs.
run nullink "$version" unix: "--limit 16384" "$examples/conformance" -- "$examples/conformance" --client

if [ -x "$build/venv/bin/python" ] || python3 -m venv "$build/venv"; then
    "$build/venv/bin/pip" install --quiet 'varlink==31.*'
    version=$("$build/venv/bin/pip" show varlink | sed -n 's/^Version: //p')
    python=$build/venv/bin/python
    run python "$version" unix: "" "$python" "$peers/python/service.py" -- "$python" "$peers/python/client.py"
fi

if cargo build --quiet --locked --manifest-path "$peers/Cargo.toml" --target-dir "$build/peers"; then
    for name in zlink varlink; do
        version=$(sed -n "/^name = \"$name\"/{n;s/^version = \"\(.*\)\"/\1/p}" "$peers/Cargo.lock")
        # zlink takes a path.
        prefix=unix:
        [ "$name" != zlink ] || prefix=
        program=$build/peers/debug/conform-$name
        run "$name" "$version" "$prefix" "" "$program" -- "$program" --client
    done
fi

if "$peers/sd-varlink.sh" "$build/sd-varlink"; then
    version=$(sed -n 's/^Version: \([0-9.]*\).*/\1/p' "$build/sd-varlink/root/usr/lib/x86_64-linux-gnu/pkgconfig/libsystemd.pc")
    program=$build/sd-varlink/conform-sd-varlink
    run sd-varlink "$version" "" "" "$program" -- "$program" --client
fi

python3 tests/conformance/table.py "$results"
