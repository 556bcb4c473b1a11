#!/bin/sh
# Prints the instructions of a call by its size, as a Markdown table. Fails if a call takes more than 1.3
# times what is proportional to the size before.
set -eu
cd "$(dirname "$0")/.."

command -v valgrind >/dev/null || { echo "linear: needs valgrind" >&2; exit 1; }
bench=$(cargo bench --quiet --locked --bench linear --no-run --message-format=json |
    sed -n 's/.*"name":"linear".*"executable":"\([^"]*\)".*/\1/p')
ulimit -n 4096 2>/dev/null || true

# total WHAT SIZE COUNT: prints the instructions of COUNT calls.
total() {
    log=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench" "$@" 2>&1) || {
        echo "linear: $* fails: $log" >&2
        exit 1
    }
    echo "$log" | sed -n 's/.*Collected : *//p'
}

# each WHAT SIZE: prints the instructions of one call.
each() {
    few=$(total "${1%,*}" "$2" 2) || exit 1
    many=$(total "${1%,*}" "$2" 4) || exit 1
    echo $(((many - few) / 2))
}

# row WHAT SIZE...: prints a row for each size, and what each unit more than the size before takes.
row() {
    what=$1 before= cost=
    shift
    for size in "$@"; do
        count=$(each "$what" "$size") || exit 1
        more=
        if [ -n "$before" ]; then
            more=$(awk "BEGIN { printf \"%.1f\", ($count - $cost) / ($size - $before) }")
            if [ $((count * before * 10)) -gt $((cost * size * 13)) ]; then
                echo "linear: $what grows faster than its size at $size" >&2
                failed=1
            fi
        fi
        echo "| $what | $size | $count | $more |"
        before=$size cost=$count
    done
}

failed=
echo "| what | size | instructions | for each more |"
echo "|---|---:|---:|---:|"
row "text, KiB" 1 4 16 64 256 1024 4096
row "escaped, KiB" 1 4 16 64 256 1024 4096
row "elements, KiB" 1 4 16 64 256 1024 4096
row "fields" 1 2 4 8 16 32 64
row "interfaces" 1 8 16 32 64
row "methods" 1 8 16 32 64
row "places" 1 10 100 1000
[ -z "$failed" ]
