#!/usr/bin/env bash
# Packing and unpacking: sizes, order, large files, what is left out, damaged archives.
source "$(dirname -- "${BASH_SOURCE[0]}")/expect.sh"
source "$root/scripts/lib.sh"
phases_file="$folder/phases"
printf 'first f\nsecond f\n' >"$phases_file"
work="$folder/work"
mkdir -p "$work"
source "$root/scripts/gpu_check/state.sh"
source "$root/scripts/gpu_check/pack.sh"
equal "the issue's limits" "$archives_limit $archive_limit_bytes" "4 15728640"
archive_limit_bytes=320000
part_bytes=150000

noise() { head -c "$1" /dev/urandom; }
make_state() {
  rm -rf -- "$1" && mkdir -p -- "$1/sweep/first/run" "$1/sweep/second/run/policies" "$1/smoke/report" "$1/tests/a b"
  (
    cd -- "$1" || exit
    printf 'x=1\n' >identity
    set_status sweep/first status=done taken_over_by=sweep/second "reason=with = and \"quotes\""
    set_status sweep/second status=interrupted
    set_status "tests/a b" status=done failed_tests=1
    seq 1000 >sweep/first/run/result.json
    seq 500 | sed 's/.*/{"key":"&"}/' >sweep/second/run/journal.jsonl
    noise 1000 >sweep/first/run/journal.jsonl
    seq 100 >"tests/a b/log-1.txt"
    seq 10 >smoke/report/report.html
    seq 10 >sweep/second/run/policies/one.json
  )
}
archives_are_small() {
  local file
  (($(find "$1" -type f | wc -l) <= archives_limit)) || return 1
  for file in "$1"/*; do (($(stat -c %s "$file") <= archive_limit_bytes)) || return 1; done
}

# A round trip gives the same tree, and any tar reads the archives.
make_state "$folder/state"
cp -a "$folder/state" "$folder/before"
mkdir "$folder/out"
equal "nothing is left out" "$(pack "$folder/state" "$folder/out")" ""
equal "the state is as it was" "$(diff -r "$folder/state" "$folder/before")" ""
mkdir "$folder/back" && unpack "$folder/out" "$folder/back"
equal "a round trip" "$(diff -r "$folder/before" "$folder/back")" ""
expect "plain tar reads it without a complaint" tar -tzf "$folder/out/state.tar.gz" >/dev/null
for name in "$folder/out"/*; do tar -xzf "$name" -O >/dev/null || failures=$((failures + 1)); done
listed="$(tar -tzf "$folder/out/state.tar.gz")"
contains "an unfinished phase's journal is in the state" "$listed" sweep/second/run/journal.jsonl
expect "a journal that was taken over is not" test "${listed/first\/run\/journal/}" == "$listed"
mkdir "$folder/small" && cp "$folder/out/state.tar.gz" "$folder/small"
mkdir "$folder/alone" && unpack "$folder/small" "$folder/alone"
equal "the state alone is enough to go on" "$(cd "$folder/alone" && get_status sweep/second status)" interrupted
equal "values survive" "$(cd "$folder/alone" && get_status sweep/first reason)" 'with = and "quotes"'

# Large files are cut and joined; the journal of an unfinished phase comes first.
make_state "$folder/state"
noise 400000 >"$folder/state/sweep/first/run/result.json"
{ seq 20000 && noise 300000 | base64; } >"$folder/state/sweep/second/run/journal.jsonl"
rm -rf "$folder/before" "$folder/out" "$folder/back" && cp -a "$folder/state" "$folder/before" && mkdir "$folder/out" "$folder/back"
equal "nothing large is left out while there is room" "$(pack "$folder/state" "$folder/out")" ""
expect "archives keep to their limit" archives_are_small "$folder/out"
equal "a cut file is whole again in the state" "$(diff -r "$folder/state" "$folder/before")" ""
unpack "$folder/out" "$folder/back"
equal "cut files come back" "$(diff -r "$folder/before" "$folder/back")" ""

# Too much: the least wanted is left out and named, half files are dropped, half journals kept.
noise 3000000 >"$folder/state/smoke/report/other.bin"
noise 400000 >"$folder/state/unknown.bin"
rm -rf "$folder/out" "$folder/back" && mkdir "$folder/out" "$folder/back"
said="$(pack "$folder/state" "$folder/out")"
contains "what is left out is named" "$said" "smoke/report/other.bin.part-"
expect "full archives keep to their limit" archives_are_small "$folder/out"
unpack "$folder/out" "$folder/back" 2>/dev/null
expect "half a file is dropped" test ! -e "$folder/back/smoke/report/other.bin"
expect "what matters is there" cmp -s "$folder/back/sweep/second/run/journal.jsonl" "$folder/state/sweep/second/run/journal.jsonl"
contains "the list of it travels too" "$(cat "$folder/back/left_out.txt")" other.bin
noise 3000000 | base64 -w 100 >"$folder/state/sweep/second/run/journal.jsonl"
rm -rf "$folder/out" "$folder/back" && mkdir "$folder/out" "$folder/back"
pack "$folder/state" "$folder/out" >/dev/null
unpack "$folder/out" "$folder/back"
kept="$(stat -c %s "$folder/back/sweep/second/run/journal.jsonl")"
expect "the beginning of an endless journal is kept" test "$kept" -gt 600000 -a "$kept" -lt 3000000
expect "it is the beginning" cmp -s -n "$kept" "$folder/back/sweep/second/run/journal.jsonl" "$folder/state/sweep/second/run/journal.jsonl"

# Damage costs what it hits.
make_state "$folder/state"
rm -rf "$folder/out" "$folder/back" && mkdir "$folder/out" "$folder/back"
pack "$folder/state" "$folder/out" >/dev/null
truncate -s -30 "$folder/out/results-1.tar.gz"
contains "damage is named" "$(unpack "$folder/out" "$folder/back" 2>&1)" "is damaged"
equal "the rest is used" "$(cd "$folder/back" && get_status sweep/second status)" interrupted
mkdir "$folder/none"
equal "a folder without archives is refused" "$( (unpack "$folder/none" "$folder/back") 2>&1 | grep -c 'holds no archive')" 1
conclude
