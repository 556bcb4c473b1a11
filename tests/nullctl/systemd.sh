#!/bin/sh
# Compares nullctl with the real varlinkctl, byte for byte, against real services of systemd: standard
# output and exit status of the same command.
#
# Usage: tests/nullctl/systemd.sh NULLCTL DIR
#
# ../systemd.sh unpacks systemd in DIR. Needs root. Exit status: 77 with a line "skipped: ..." if
# systemd cannot be unpacked or run.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
nullctl=$(realpath "$1")
mkdir -p "$2"
systemd=$(cd "$2" && pwd)

skip() {
    echo "skipped: $*"
    exit 77
}

[ "$(id -u)" = 0 ] || skip "needs root, to run services of systemd"
"$here/../systemd.sh" "$systemd" || skip "needs varlinkctl"
varlinkctl=$systemd/bin/varlinkctl

work=$(mktemp -d)
started=
finish() {
    # shellcheck disable=SC2086
    [ -z "$started" ] || kill $started 2>/dev/null || true
    wait
    rm -rf "$work"
}
trap finish EXIT

# start SERVICE SOCKET: starts a service, and waits until it answers.
start() {
    "$systemd/bin/start" "$1" "$work/$1" >"$work/$1.log" 2>&1 &
    started="$started $!"
    "$nullctl" wait --timeout=20 "$work/$1/$2" >"$work/wait" 2>&1 ||
        skip "needs a running $1: $(cat "$work/wait" "$work/$1.log")"
}

start udevd udev/io.systemd.Udev
start userdbd systemd/userdb/io.systemd.Multiplexer
start hostnamed systemd/io.systemd.Hostname
start importd systemd/io.systemd.Import
start resolved systemd/resolve/io.systemd.Resolve
udev=$work/udevd/udev/io.systemd.Udev
userdb=$work/userdbd/systemd/userdb/io.systemd.Multiplexer
hostname=$work/hostnamed/systemd/io.systemd.Hostname
import=$work/importd/systemd/io.systemd.Import
resolve=$work/resolved/systemd/resolve/io.systemd.Resolve

count=0
different=0
# same ARGUMENT...: runs both with these arguments, without a terminal.
same() {
    for tool in varlinkctl nullctl; do
        eval "program=\$$tool"
        status=0
        "$program" "$@" >"$work/$tool.out" 2>"$work/$tool.errors" </dev/null || status=$?
        echo "exit status $status" >>"$work/$tool.out"
    done
    count=$((count + 1))
    cmp -s "$work/varlinkctl.out" "$work/nullctl.out" && return
    different=$((different + 1))
    echo "different: $*" >&2
    diff "$work/varlinkctl.out" "$work/nullctl.out" | cut -c 1-200 | head -n 10 >&2 || true
    head -n 5 "$work/nullctl.errors" >&2
}

for service in "$udev" "$userdb" "$hostname" "$import" "$resolve"; do
    same info "$service"
    same info -j "$service"
    same list-interfaces "$service"
    same list-interfaces -j "$service"
    same list-methods "$service"
    same list-methods -j "$service"
    same introspect "$service"
    same introspect -j "$service"
    same introspect "$service" org.varlink.service
    same introspect -j "$service" org.varlink.service
    same introspect "$service" com.example.absent
    same call "$service" org.varlink.service.GetInfo
    same call -j "$service" org.varlink.service.GetInfo '{}'
    same call --json=pretty "$service" org.varlink.service.GetInfo '{}'
    same call --json=short "$service" org.varlink.service.GetInfo '{}'
    same call --more "$service" org.varlink.service.GetInfo '{}'
    same call --collect "$service" org.varlink.service.GetInfo '{}'
done

# Errors: the parameters are printed, and the exit status is 1.
same call -j "$udev" org.varlink.service.GetInterfaceDescription '{"interface":"com.example.absent"}'
same call -j "$udev" io.systemd.Udev.Absent '{}'
same call -j "$udev" io.systemd.service.SetLogLevel '{}'
same call -j "$udev" io.systemd.service.SetLogLevel '{"level":8}'
same call -j "$udev" io.systemd.service.Ping '{"x":1}'
same call -j "$udev" io.systemd.service.Ping '{"x":'
same call -j "$udev" io.systemd.service.Ping '[]'
same call -j "$udev" io.systemd.service.Ping ''
same call -q "$udev" io.systemd.service.Ping '{}'
same call --oneway "$udev" io.systemd.service.Ping '{}'
same call "$udev" io.systemd.service.GetEnvironment '{}'
same call -j "$work/absent" io.systemd.service.Ping '{}'
same call -j --graceful=org.varlink.service.InvalidParameter "$udev" io.systemd.service.Ping '{"x":1}'

# Several replies, and none.
for options in "" -j --more --collect "--more -j" "--collect -j" "--more --json=pretty" \
    "--collect --json=pretty" "--more --collect" "-q --more"; do
    # shellcheck disable=SC2086
    same call $options "$userdb" io.systemd.UserDatabase.GetGroupRecord \
        '{"service":"io.systemd.Multiplexer"}'
    # shellcheck disable=SC2086
    same call $options "$userdb" io.systemd.UserDatabase.GetUserRecord \
        '{"service":"io.systemd.Multiplexer","userName":"root"}'
    # shellcheck disable=SC2086
    same call $options "$import" io.systemd.Import.ListTransfers '{}'
    # shellcheck disable=SC2086
    same call $options "$resolve" io.systemd.Resolve.ResolveHostname '{"name":"localhost"}'
done
same call -j "$hostname" io.systemd.Hostname.Describe '{}'
same call --json=pretty "$hostname" io.systemd.Hostname.Describe '{}'

# Definitions in canonical layout: varlinkctl changes others, nullctl prints them as they are.
for interface in io.systemd.Udev io.systemd.service org.varlink.service; do
    "$varlinkctl" introspect "$udev" "$interface" >"$work/$interface"
    same validate-idl "$work/$interface"
    same validate-idl -q "$work/$interface"
done

echo "nullctl: $((count - different)) of $count commands print the same as varlinkctl $(cat "$systemd/version")"
[ "$different" = 0 ]
