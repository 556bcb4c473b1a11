#!/bin/sh
# Counts the instructions of calls in memory (callgrind): what a call costs, that checking it costs
# less than dispatching it, and that checking is linear in the message, whatever is in it.
set -eu
cd "$(dirname "$0")/.."

command -v valgrind >/dev/null || {
    [ "${CI:-}" != true ] || { echo "instructions: needs valgrind" >&2; exit 1; }
    echo "skipped: needs valgrind"
    exit 0
}
bench=$(cargo bench --quiet --locked --bench dispatch --no-run --message-format=json |
    sed -n 's/.*"name":"dispatch".*"executable":"\([^"]*\)".*/\1/p')

# What COUNT runs of a scenario take.
total() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench" "$1" "$2" 2>&1 |
        sed -n 's/.*Collected : *//p'
}
# What one run takes, without what the program takes to start.
each() {
    few=$(total "$1" 2)
    many=$(total "$1" 12)
    echo $(((many - few) / 10))
}

fail() {
    echo "instructions: $*" >&2
    exit 1
}

# limit SCENARIO COUNT: a run takes that much at most.
limit() {
    count=$(each "$1")
    echo "instructions: $1 takes $count of $2"
    [ "$count" -le "$2" ] || fail "$1 takes more than $2"
}

unchecked=$(each ping-unchecked)
checked=$(each ping)
echo "instructions: a call of Ping takes $checked, $((checked - unchecked)) of them to check it"
[ $((checked - unchecked)) -lt "$unchecked" ] || fail "checking costs more than dispatch"

# What was measured when this was written, and a tenth.
limit ping 6000
limit text 25000
limit text-escaped-10 58000
limit text-escaped-2 190000
limit integers 103000

# Checking is linear in the message: its length times 256, or times 512 where keys have to be searched
# for among the 256 names of a structure, because they are not in the order of the definition.
for scenario in plain-keys escaped-keys empty-structures map long-keys maps; do
    limit "$scenario" $((4096 * 256))
done
for scenario in large-map large-long-keys large-maps large-empty-structures; do
    limit "$scenario" $((65536 * 256))
done
limit reversed-keys $((4096 * 512))
limit large-last-fields $((65536 * 512))

# Nesting costs nothing: maps within one another take what as much of one map takes, and a tenth.
limit large-maps $(($(each large-map) * 11 / 10))

# A server costs what happens, not what it has: as much with 1,000 places, and beside 900 connections
# that are idle, as with 8.
ulimit -n 4096 2>/dev/null || true
limit server-8 7500
limit server-8-pipelined 560000
eight=$(each server-8)
limit server-1000 $((eight * 11 / 10))
limit server-1000-idle $((eight * 12 / 10))
