#!/usr/bin/env bash
# Tries the committed HEAD of this checkout on a bare Debian: debootstrap makes a minimal system in a folder, HEAD is
# cloned into it, and a command runs there as root as on a new machine. Needs root, and debootstrap.
#
# Usage: scripts/bare_root.sh [OPTIONS] [-- ARGUMENTS OF THE SCRIPT]
#
#   scripts/bare_root.sh -- --profile smoke     scripts/run.sh --profile smoke, its results copied out
#   scripts/bare_root.sh --test                 scripts/test.sh
#   scripts/bare_root.sh --command 'scripts/setup.sh && scripts/setup.sh'
#
#   --suite NAME      Debian suite (bookworm)
#   --root DIR        folder for the system; used again as it is if it has one (a new folder under $TMPDIR)
#   --keep            leave the system in place afterwards; implied by --root
#   --checkout PATH   where the clone goes inside the system (/root/detbench)
#   --test            run scripts/test.sh, not scripts/run.sh
#   --command LINE    run this shell line in the clone
#   --offline         no network inside (what is installed by then stays)
#   --out DIR         where results/local of the clone is copied (results/local/bare_SUITE_<UTC time>)
#
# Packages come from the mirror that apt uses on this machine, and pip is configured as here (its variables, its
# configuration files and this machine's certificates); all that is read at run time and stays in the folder.
# Ends with sizes and times. Exit codes: 2 usage; 3 the system could not be made; else those of the command.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

suite=bookworm
system=""
keep=no
checkout=/root/detbench
script=scripts/run.sh
line=""
offline=no
out=""

need_value() { (($# >= 2)) || fail 2 "$1 needs a value; see scripts/bare_root.sh --help"; }
while (($# > 0)); do
  case "$1" in
    -h | --help)
      print_header_comment
      exit 0
      ;;
    --suite | --root | --checkout | --command | --out)
      need_value "$@"
      case "$1" in
        --suite) suite="$2" ;;
        --root) system="$2" keep=yes ;;
        --checkout) checkout="$2" ;;
        --command) line="$2" ;;
        --out) out="$2" ;;
      esac
      shift
      ;;
    --keep) keep=yes ;;
    --test) script=scripts/test.sh ;;
    --offline) offline=yes ;;
    --)
      shift
      break
      ;;
    *) fail 2 "unknown argument '$1'; see scripts/bare_root.sh --help" ;;
  esac
  shift
done
[[ "$(id -u)" == 0 ]] || fail 2 "needs root, for debootstrap and chroot"
command -v debootstrap >/dev/null || fail 3 "debootstrap is missing: apt-get install debootstrap"
[[ "$checkout" == /?* ]] || fail 2 "--checkout is '$checkout'; it must be an absolute path inside the system"

# Mounts live in a namespace of their own: they end with this script however it ends, so removing the folder can never
# reach the machine's /proc or /dev. Processes started inside end with it too.
if [[ "${DETBENCH_BARE_ROOT_INSIDE:-}" != yes ]]; then
  if [[ -n "$system" ]]; then
    mkdir -p -- "$system"
  else
    system="$(mktemp -d "${TMPDIR:-/tmp}/bare_root.XXXXXX")"
  fi
  system="$(cd -- "$system" && pwd -P)"
  [[ "$system" != *[[:space:]]* ]] || fail 2 "debootstrap cannot work in '$system': no spaces, please (see --root)"
  if [[ "$keep" == no ]]; then
    trap 'rm -rf --one-file-system -- "$system"' EXIT
  fi
  [[ -n "$out" ]] || out="$detbench_root/results/local/bare_${suite}_$(date -u +%Y%m%dT%H%M%SZ)"
  options=(--suite "$suite" --root "$system" --checkout "$checkout" --out "$out")
  [[ "$script" == scripts/test.sh ]] && options+=(--test)
  [[ "$offline" == yes ]] && options+=(--offline)
  [[ -n "$line" ]] && options+=(--command "$line")
  status=0
  DETBENCH_BARE_ROOT_INSIDE=yes unshare --mount --pid --fork --kill-child -- "$0" "${options[@]}" -- "$@" || status=$?
  [[ "$keep" == yes ]] && say "the system is in $system"
  exit "$status"
fi
unset DETBENCH_BARE_ROOT_INSIDE

size_of() { du -shx -- "$1" | cut -f 1; }

make_system() {
  local mirror
  # shellcheck disable=SC2016  # apt's own placeholders
  mirror="$(apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' |
    awk '$2 == "main" && !found { print $1; found = 1 }')"
  [[ -n "$mirror" ]] || fail 3 "apt has no package sources on this machine"
  debootstrap --variant=minbase "$suite" "$system" "$mirror" >"$system/debootstrap.out" 2>&1 ||
    { tail -n 5 -- "$system/debootstrap.out" >&2 && fail 3 "debootstrap of $suite failed"; }
  rm -f -- "$system/debootstrap.out"
  # The package archives are of no use once unpacked.
  rm -rf -- "$system"/var/cache/apt/archives/*.deb
}

# How this machine reaches the outside, for programs inside: names, proxies, certificates, pip.
pass_network_settings() {
  local file certificates="${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}"
  cp -L -- /etc/resolv.conf /etc/hosts "$system/etc/"
  apt-config dump | grep -E '^Acquire::(http|https|Check-Valid-Until|Check-Date|Retries)[: ]' \
    >"$system/etc/apt/apt.conf.d/90bare-root" || true
  for file in /etc/pip.conf "$HOME/.pip/pip.conf" "${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf"; do
    [[ -r "$file" ]] && cp -- "$file" "$system/etc/pip.conf"
  done
  # Not in /etc/ssl, which the package ca-certificates owns.
  if [[ -r "$certificates" ]]; then
    install -D -m 644 -- "$certificates" "$system/usr/local/share/bare-root/certificates.crt"
  fi
}

clone_head() {
  local target="$system$checkout"
  rm -rf -- "$target"
  mkdir -p -- "$(dirname -- "$target")"
  git clone --quiet --no-hardlinks -- "$detbench_root" "$target"
  git -C "$target" checkout --quiet --detach "$(git -C "$detbench_root" rev-parse HEAD)"
}

# run_inside COMMAND...: in the clone, as root, with a login's environment, what pip and the proxies need, and the
# DETBENCH_ variables of the caller.
run_inside() {
  local name
  local -a environment=(HOME=/root LANG=C.UTF-8 "TERM=${TERM:-dumb}"
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
  for name in $(compgen -e | grep -iE '^(PIP_|(http|https|no|all)_proxy$|DETBENCH_|CI$)' || true); do
    environment+=("$name=${!name}")
  done
  if [[ -e "$system/usr/local/share/bare-root/certificates.crt" ]]; then
    environment+=(PIP_CERT=/usr/local/share/bare-root/certificates.crt)
  fi
  local -a enter=(chroot "$system")
  [[ "$offline" == yes ]] && enter=(unshare --net -- "${enter[@]}")
  # shellcheck disable=SC2016  # expanded by the shell inside
  "${enter[@]}" /usr/bin/env -i "${environment[@]}" /bin/bash -c 'cd -- "$1" && shift && "$@"' bash "$checkout" "$@" \
    </dev/null
}

mount --make-rprivate /
if [[ -x "$system/usr/bin/apt-get" ]]; then
  made="used again"
else
  started="$SECONDS"
  make_system
  made="made in $((SECONDS - started)) s"
fi
bare_size="$(size_of "$system")"
pass_network_settings
clone_head
mount -t proc proc "$system/proc"
mount -t tmpfs -o mode=1777 tmpfs "$system/dev/shm"

started="$SECONDS"
status=0
if [[ -n "$line" ]]; then
  run_inside /bin/bash -c "$line" || status=$?
else
  run_inside "$script" "$@" || status=$?
fi
elapsed_s=$((SECONDS - started))

results="$system$checkout/results/local"
if [[ -d "$results" ]]; then
  mkdir -p -- "$out"
  cp -R -- "$results/." "$out/"
  say "results copied to $out"
fi
umount "$system/dev/shm" "$system/proc"
say "$suite $made, $bare_size; command took $elapsed_s s, exit code $status; now $(size_of "$system")"
exit "$status"
