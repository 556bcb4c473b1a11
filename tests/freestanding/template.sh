#!/bin/sh
# Runs the two commands of docs/without-libc.md in an empty directory next to this clone: the
# copy of examples/freestanding builds, is static, and answers over its socket.
set -eu
cd "$(dirname "$0")/../.."
clone=$PWD

fail() {
    echo "template: $*" >&2
    exit 1
}

for tool in python3 readelf; do
    if ! command -v "$tool" >/dev/null; then
        [ "${CI:-}" != true ] || fail "needs $tool"
        echo "skipped: needs $tool"
        exit 0
    fi
done

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
unset CARGO_TARGET_DIR
ln -s "$clone" "$out/nullink"
sed -n '/^cp -r nullink\/examples\/freestanding /,/^```$/{/^```/d;p;}' docs/without-libc.md >"$out/commands"
[ "$(grep -c . "$out/commands")" = 2 ] || fail "docs/without-libc.md has not the two commands"
(cd "$out" && sh -e ./commands 2>"$out/log") || fail "does not build: $(cat "$out/log")"

cmp "$out/ping/Cargo.lock" examples/freestanding/Cargo.lock || fail "examples/freestanding/Cargo.lock is outdated"
(cd "$out/ping" && cargo clippy --quiet --locked --release -- -D warnings) || fail "clippy finds mistakes"

program=$out/ping/target/release/ping
readelf -hW "$program" | grep -q 'Type: *EXEC' || fail "not at a fixed address"
! readelf -lSW "$program" | grep -E 'INTERP|DYNAMIC|[.]dynamic' || fail "not static"
[ -z "$(readelf -rW "$program" | grep 'R_')" ] || fail "has relocations"

python3 - "$program" "$out/socket" examples/freestanding/src/org.example.ping.varlink <<'PYTHON' || fail "does not serve"
import json, socket, subprocess, sys, time

program, path, definition = sys.argv[1:]
service = subprocess.Popen([program, path])
try:
    end = time.monotonic() + 10
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    while True:
        try:
            client.connect(path)
            break
        except OSError:
            if service.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.01)
    stream = client.makefile("rwb")

    def call(method, parameters, expected):
        stream.write(json.dumps({"method": method, "parameters": parameters}).encode() + b"\0")
        stream.flush()
        reply = b""
        while not reply.endswith(b"\0"):
            byte = stream.read(1)
            assert byte, f"{method}: the connection was closed after {reply}"
            reply += byte
        reply = json.loads(reply[:-1])
        assert reply == expected, f"{method}: {reply}, expected {expected}"

    call("org.example.ping.Ping", {"ping": 'a "b" \u00e9'}, {"parameters": {"pong": 'a "b" \u00e9'}})
    call("org.example.ping.Ping", {"ping": ""}, {"error": "org.example.ping.Silence"})
    call("org.varlink.service.GetInfo", {}, {"parameters": {
        "vendor": "Example", "product": "Pinger", "version": "1", "url": "https://example.org",
        "interfaces": ["org.varlink.service", "org.example.ping"]}})
    call("org.varlink.service.GetInterfaceDescription", {"interface": "org.example.ping"},
         {"parameters": {"description": open(definition).read()}})
    assert service.poll() is None, "the service has ended"
finally:
    service.kill()
    service.wait()
PYTHON

# The debug build has other symbols.
(cd "$out/ping" && cargo build --quiet --locked) || fail "the debug build does not link"
echo "template: the copy of examples/freestanding is static, answers, and takes $(stat -c %s "$program") bytes"
