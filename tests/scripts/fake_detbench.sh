#!/usr/bin/env bash
# Stands in for detbench in gpu_check_test.sh: what `run` does is the first word of its filter. A resumed run reads that
# word from its journal, as the real one does.
set -uo pipefail
verb="${1:-}"
shift
case "$verb" in
  env)
    echo "detbench fake"
    exit 0
    ;;
  report)
    while (($# > 0)); do
      if [[ "$1" == --out ]]; then mkdir -p "$2" && echo "<html>" >"$2/report.html"; fi
      shift
    done
    exit 0
    ;;
esac
# Three problems of any filter but "nothing".
if [[ "$verb" == list ]]; then
  [[ " $* " == *" nothing "* ]] && { echo "detbench: nothing matches the filter 'nothing'"; exit 2; }
  printf 'sum/n%d/f32_f32_strict/vector\n' 1024 2048 4096
  exit 0
fi
# Writes what it was asked into the file; dies of the architecture sm_13.
if [[ "$verb" == catalog ]]; then
  asked="$*" out="" arch=""
  while (($# > 0)); do
    case "$1" in
      --out) out="$2" ;;
      --arch) arch="$2" ;;
    esac
    shift
  done
  [[ "$arch" == sm_13 ]] && kill -SEGV $$
  [[ -s "${FAKE_CATALOG:-}" && "$arch" == device ]] && cp "$FAKE_CATALOG" "$out" && exit 0
  [[ "$arch" == device ]] && echo "detbench: no cuDNN 9 here" && exit 77
  printf '%s\n' "$asked" >"$out"
  exit 0
fi
word="" run="" resume=no profile="" imports=0
while (($# > 0)); do
  case "$1" in
    --out) run="$2" && shift ;;
    --resume) run="$2" resume=yes && shift ;;
    --import) imports=$((imports + $(wc -l <"$2/journal.jsonl"))) && shift ;;
    --profile) profile="$2" && shift ;;
    --backend | --threads | --search | --scopes | --network-runs) shift ;;
    *) word="${word:-$1}" ;;
  esac
  shift
done
if [[ "$resume" == yes ]]; then
  word="$(sed -n '1s/.*"filter":"\([^"]*\)".*/\1/p' "$run/journal.jsonl")"
  [[ -n "$word" ]] || { echo "detbench: '$run/journal.jsonl' does not begin with the settings of a run"; exit 2; }
else
  [[ -n "$word" ]] || word="ok"
  [[ "$word" == usage ]] && { echo "detbench: 'usage' is not a filter term"; exit 2; }
  [[ "$word" == nothing ]] && { echo "detbench: nothing matches the filter 'nothing'"; exit 2; }
  mkdir -p "$run"
  printf '{"key":"run","filter":"%s","profile":"%s"}\n' "$word" "$profile" >"$run/journal.jsonl"
fi
for ((i = 0; i < imports; i++)); do echo '{"key":"imported"}' >>"$run/journal.jsonl"; done
finish() {
  printf '{"rows":%d}\n' "$(wc -l <"$run/journal.jsonl")" >"$run/result.json"
  echo "3 cases in 1 comparisons: ${2:-3 ok} (1 s)"
  echo "  10 of 10 controls as expected"
  exit "$1"
}
case "$word" in
  crash)
    echo '{"key":"probe"}' >>"$run/journal.jsonl"
    kill -SEGV $$
    ;;
  hang) # never ends, not even when told to: a child of its own must not survive it
    trap '' TERM INT
    (exec -a "$(cat "${FAKE_MARK:-/dev/null}")" sleep 1000) &
    while :; do sleep 1; done
    ;;
  slow) # needs 8 steps of a second in all, over as many calls as it takes
    trap 'finish 130' TERM INT
    while (($(grep -c step "$run/journal.jsonl") < 8)); do
      sleep 1 &
      wait $!
      echo '{"key":"step"}' >>"$run/journal.jsonl"
    done
    ;;
  huge) head -c 30000000 /dev/urandom | base64 >"$run/worker.log" && yes '{"key":"x"}' | head -n 300000 >>"$run/journal.jsonl" ;;
  incorrect) finish 1 "2 ok, 1 incorrect" ;;
  negative)
    echo "detbench: the negative control (integers added in any order) differed"
    exit 3
    ;;
esac
finish 0
