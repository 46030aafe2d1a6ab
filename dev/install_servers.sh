#!/bin/sh
# The programs of PostgreSQL and Redis, for `make test-distributed`: from Debian's packages when root, else it says how.
# Only the programs are wanted. No service is started, now or at the next boot, and no cluster is made: the test has its
# own, in a temporary folder. What is already there, of whatever origin, is left as it is.
set -eu

has_postgres() { command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
has_redis() { command -v redis-server >/dev/null; }

missing=
has_postgres || missing="$missing postgresql"
has_redis || missing="$missing redis-server"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    cat >&2 <<MESSAGE
The test of several machines needs PostgreSQL and Redis; missing:$missing
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends$missing
  anything else:   have initdb, postgres and redis-server on PATH
Their services are not needed, and need not run.
MESSAGE
    exit 1
fi

policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.conf
own_policy=
before=
tidy() {
    [ -z "$own_policy" ] || rm -f "$policy"
    [ -z "$before" ] || mv "$before" "$clusters"
}
trap tidy EXIT
trap 'exit 1' HUP INT TERM

install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; }

echo "Installing$missing"
apt-get update -q
if [ ! -e "$policy" ]; then  # asked by every package before it starts its service; 101: no
    own_policy=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
if ! has_postgres; then
    install postgresql-common
    cp -p "$clusters" "$clusters.before-omni"
    before="$clusters.before-omni"
    echo "create_main_cluster = false" >>"$clusters"
    install postgresql
fi
if ! has_redis; then
    install redis-server
    update-rc.d redis-server disable
fi
