#!/bin/sh
# Counts the instructions of calls in memory (callgrind): that checking a call costs less than
# dispatching it, and that the worst call of 4 KiB that could be found costs what the limits say.
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
    few=$(total "$1" 10)
    many=$(total "$1" 110)
    echo $(((many - few) / 100))
}

fail() {
    echo "instructions: $*" >&2
    exit 1
}

unchecked=$(each ping-unchecked)
checked=$(each ping)
echo "instructions: a call of Ping takes $checked, $((checked - unchecked)) of them to check it"
[ $((checked - unchecked)) -lt "$unchecked" ] || fail "checking costs more than dispatch"

# 4 KiB, times 256 fields, times a handful.
limit=$((4096 * 256 * 8))
for scenario in plain-keys escaped-keys empty-structures map long-keys maps; do
    count=$(each "$scenario")
    echo "instructions: 4 KiB of $scenario take $count"
    [ "$count" -lt "$limit" ] || fail "$scenario costs more than $limit"
done
