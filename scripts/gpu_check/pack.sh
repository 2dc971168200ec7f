# shellcheck shell=bash
# Packs the state into at most 4 files of at most 15 MiB; sourced by gpu_check.sh.
#
# state.tar.gz holds what the next call needs, results-1.tar.gz ... results-3.tar.gz the rest, most wanted first. Every
# member is compressed by itself and gzip streams may be joined, so each archive's size is known before it is written
# and the sum of its parts. A file too large for an archive is cut into NAME.part-000, NAME.part-001, ...

archives_limit=4 # 60 MiB together: what some machines give back at most is 64
archive_limit_bytes=$((15 * 1024 * 1024))
part_bytes=$((14 * 1024 * 1024)) # cannot outgrow an archive even if nothing compresses

# rank FILE: lower is more wanted; 0 and 1 go to state.tar.gz.
rank() {
  local folder="${1%%/run/*}"
  case "$1" in
    identity | threads | calls | status.json | summary.txt | */status | *.parts_bytes) echo 0 ;;
    */journal.jsonl | */journal.jsonl.part-*)
      # What a later phase took over stands in that one's journal too.
      if is_settled "$folder" && [[ -n "$(get_status "$folder" taken_over_by)" ]]; then echo 6; else echo 1; fi
      ;;
    env/*) echo 2 ;;
    */*/log-*.txt | */*/died.txt | */*/slow.txt)
      # What ended there is not run again by the next call.
      if ! is_settled "${1%/*}"; then echo 1; elif [[ "$(get_status "${1%/*}" failed_tests 0)" != 0 ]]; then echo 2; else echo 7; fi
      ;;
    tests/*/result*.json | */*/alone.txt) if [[ "$(get_status "$(dirname -- "$1")" failed_tests 0)" != 0 ]]; then echo 2; else echo 7; fi ;;
    */run/result.json | */run/policies/* | sweep/*/difference.* | sweep/*/tables.md | sweep/*/peers/peers.*) echo 3 ;;
    sweep/*/device.json | sweep/*/described.json) echo 4 ;;
    */log.txt) echo 4 ;;
    smoke/report/report.html) echo 5 ;;
    */report/* | */worker.log) echo 7 ;;
    *) echo 8 ;;
  esac
}

# cut_large_files: a file whose compressed form does not fit into an archive is replaced by its parts.
cut_large_files() {
  local file
  while IFS= read -r -d '' file; do
    if (($(gzip -1 -c -- "$file" | wc -c) > archive_limit_bytes - 4096)); then
      split -b "$part_bytes" -a 3 -d -- "$file" "$file.part-" && stat -c %s -- "$file" >"$file.parts_bytes" && rm -f -- "$file"
    fi
  done < <(find . -type f -size "+$((archive_limit_bytes / 1024))k" -print0)
}

# join_parts: undoes it. Of a file whose later parts were left out the beginning is kept if it is a journal (whole lines
# count, a torn last one is dropped by detbench); anything else would be useless.
join_parts() {
  local first stem i part bytes
  while IFS= read -r first; do
    stem="${first%.part-000}"
    i=0
    while part="$(printf '%s.part-%03d' "$stem" "$i")" && [[ -e "$part" ]]; do
      cat -- "$part" >>"$stem.joined"
      i=$((i + 1))
    done
    bytes="$(cat -- "$stem.parts_bytes" 2>/dev/null)"
    if [[ "$stem" == *.jsonl || "$bytes" == "$(stat -c %s -- "$stem.joined")" ]]; then mv -- "$stem.joined" "$stem"; else rm -f -- "$stem.joined"; fi
    rm -f -- "$stem".part-*
  done < <(find . -name '*.part-000')
  # Parts without a beginning.
  find . '(' -name '*.part-[0-9][0-9][0-9]' -o -name '*.parts_bytes' ')' -delete
}

# tar_member FILE: one gzip stream of FILE's tar record, without the two empty blocks that would end an archive.
tar_member() { tar --owner=0 --group=0 -b 1 -cf - -- "$1" | head -c -1024 | gzip -9 -n; }
tar_end() { head -c 1024 /dev/zero | gzip -9 -n; }

# pack STATE OUT: OUT's archives appear whole and replace those of an earlier pack of this call. Prints what was left out.
pack() {
  local state="$1" out="$2" members
  members="$(mktemp -d "$work/pack.XXXXXX")"
  (
    cd -- "$state" || exit 1
    rm -f -- left_out.txt
    cut_large_files
    # Reports and runs may hold links or sockets of nobody's interest: plain files only.
    while IFS= read -r -d '' file; do printf '%s %s\n' "$(rank "${file#./}")" "${file#./}"; done < <(find . -type f -print0) |
      sort -k 1,1n -k 2 >"$members/order"
    local i size bin rank file
    local -a used
    end_bytes="$(tar_end | wc -c)"
    for ((i = 0; i < archives_limit; i++)); do used[i]="$end_bytes"; done
    used[0]=$((end_bytes + 65536)) # room for the list of what is left out
    : >"$members/left_out"
    while read -r rank file; do
      tar_member "$file" >"$members/member" 2>/dev/null || continue
      size="$(stat -c %s "$members/member")"
      # The first archive is for the next call alone, so that it stays small enough to be carried.
      ((rank <= 1)) && bin=0 || bin=1
      while ((bin < archives_limit && used[bin] + size > archive_limit_bytes)); do bin=$((bin + 1)); done
      if ((bin == archives_limit)); then
        printf '%s (%s bytes compressed)\n' "$file" "$size" >>"$members/left_out"
        continue
      fi
      cat "$members/member" >>"$members/archive-$bin"
      used[bin]=$((used[bin] + size))
    done <"$members/order"
    join_parts
    if [[ -s "$members/left_out" ]]; then
      head -c 60000 -- "$members/left_out" >left_out.txt
      tar_member left_out.txt >>"$members/archive-0"
    fi
    for ((i = 0; i < archives_limit; i++)); do
      [[ -e "$members/archive-$i" ]] || continue
      tar_end >>"$members/archive-$i"
      ((i == 0)) && file=state.tar.gz || file="results-$i.tar.gz"
      cp -- "$members/archive-$i" "$out/.$file.new" && mv -- "$out/.$file.new" "$out/$file"
    done
  ) || say "packing did not succeed completely" >&2
  if [[ -s "$members/left_out" ]]; then
    say "left out, because $archives_limit files of 15 MiB are full:"
    head -n 20 -- "$members/left_out" | sed 's/^/  /'
  fi
  rm -rf -- "$members"
}

# unpack FOLDER STATE: the archives of an earlier call; damaged ones are named and skipped.
unpack() {
  local archive found=no
  for archive in "$1"/*.tar.gz; do
    [[ -e "$archive" ]] || continue
    found=yes
    tar -xzf "$archive" -C "$2" 2>/dev/null || say "'$archive' is damaged: what could be read of it is used" >&2
  done
  [[ "$found" == yes ]] || fail 2 "--journal '$1' holds no archive of an earlier call (state.tar.gz)"
  (cd -- "$2" && join_parts)
}
