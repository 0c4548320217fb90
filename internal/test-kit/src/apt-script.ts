/**
 * A POSIX shell script; `$1` is the path of policy-rc.d, the rest are packages. Runs as root. Packages of daemons start them on install; a policy-rc.d that answers 101 forbids it, the way Debian
 * documents for chroots. What stood there before is put back, also when interrupted. apt waits for the dpkg lock by its
 * option, and the loop waits for the lock of the package lists, which older apt gives up on at once.
 */
export const aptScript = `
set -u
policy=$1
shift
saved=
if [ -e "$policy" ]; then saved=$(mktemp "$policy.XXXXXX") && cp -p "$policy" "$saved"; fi
restore() { if [ -n "$saved" ]; then mv -f "$saved" "$policy"; else rm -f "$policy"; fi; }
trap restore EXIT
trap 'exit 130' INT TERM HUP
printf '#!/bin/sh\\nexit 101\\n' > "$policy" && chmod 755 "$policy"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
attempt=0
until output=$(apt-get -q -o DPkg::Lock::Timeout=300 update 2>&1); do
  attempt=$((attempt + 1))
  case "$output" in *"Could not get lock"*) ;; *) break ;; esac
  [ "$attempt" -lt 150 ] || break
  sleep 2
done
apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends "$@" >&2
`;
