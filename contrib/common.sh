# Shared by contrib/quickstart and contrib/test (bash): packages, a private copy of the source, helpers.
# shellcheck shell=bash disable=SC2034

export LC_ALL=C.UTF-8 PGCONNECT_TIMEOUT=10
unset PGHOST PGPORT PGUSER PGDATABASE PGPASSWORD PGSERVICE PGOPTIONS PGSSLMODE PGPASSFILE CDPATH
umask 022

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ME=contrib/$(basename "$0")
CREATECLUSTER_DIR=/etc/postgresql-common/createcluster.d
CREATECLUSTER=$CREATECLUSTER_DIR/zz-fynixpool.conf

BUILD_PACKAGES=(gcc libc6-dev make autoconf automake pkgconf libev-dev liburing-dev libssl-dev libpq-dev
	libpam0g-dev libldap-dev libidn-dev)

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
die() { printf '%s: %s\n' "$ME" "$*" >&2; exit 1; }
now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f s", b - a }'; }

# missing_packages NAME...: those that are not installed
missing_packages()
{
	local p
	for p in "$@"; do
		case $(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null) in
		installed) ;;
		*) printf '%s\n' "$p" ;;
		esac
	done
}

# as_root COMMAND...: run it as root, through sudo where needed
as_root()
{
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

may_be_root()
{
	[ "$(id -u)" = 0 ] && return 0
	command -v sudo >/dev/null 2>&1 || return 1
	sudo -n true 2>/dev/null && return 0
	[ -t 0 ] && [ -t 2 ] && sudo -v
}

no_main_cluster_over()
{
	if [ -n "${made_createcluster-}" ]; then
		as_root rm -f "$CREATECLUSTER"
		made_createcluster=
	fi
}

# install_packages NAME...: installs what is missing, or prints how to and stops with status 3
install_packages()
{
	local missing update=
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		say "$ME: this is not a Debian system, so nothing is installed; going on with what is here"
		return
	fi
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	if ! may_be_root; then
		apt-cache show "${missing[0]}" >/dev/null 2>&1 || update='apt-get update && '
		cat >&2 <<-END
			$ME: these packages are missing, and I am neither root nor may I use sudo. As root, run:

			    ${update}apt-get install --no-install-recommends ${missing[*]}

		END
		case " ${missing[*]} " in
		*" postgresql "*) cat >&2 <<-END
			Debian's postgresql package makes a cluster on port 5432, which is not needed here. To have none, run before it:

			    mkdir -p $CREATECLUSTER_DIR && echo 'create_main_cluster = false' >$CREATECLUSTER

			END
			;;
		esac
		exit 3
	fi
	step "installing ${missing[*]}"
	case " ${missing[*]} " in
	*" postgresql "*)
		# Debian's package would make a cluster and start it on 5432: tell it not to, this once.
		if [ ! -e "$CREATECLUSTER" ]; then
			as_root mkdir -p "$CREATECLUSTER_DIR"
			made_createcluster=yes
			echo 'create_main_cluster = false' | as_root tee "$CREATECLUSTER" >/dev/null
		fi
		;;
	esac
	case " ${missing[*]} " in
	*" slapd "*)
		# Debian's package would make a directory and serve it on 389: the tests make their own.
		echo 'slapd slapd/no_configuration boolean true' | as_root debconf-set-selections
		;;
	esac
	if ! apt_install "${missing[@]}"; then
		as_root apt-get -q update </dev/null
		apt_install "${missing[@]}" || { no_main_cluster_over; die "apt-get could not install the packages"; }
	fi
	no_main_cluster_over
}

apt_install()
{
	# A system without package lists finds nothing: fetch them first.
	if ! apt-cache show "$1" >/dev/null 2>&1; then
		as_root apt-get -q update </dev/null
	fi
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends "$@" </dev/null
}

# copy_source DIR: a private copy without anything built, so that the tree stays as it is
copy_source()
{
	mkdir -p "$1"
	(cd "$ROOT" && tar cf - --exclude=.git --exclude='*.o' --exclude='*.a' --exclude='*.log' --exclude='*.trs' \
		--exclude=.deps --exclude=.dirstamp --exclude=autom4te.cache --exclude=__pycache__ --exclude=./build-aux \
		--exclude=./Makefile --exclude=./Makefile.in --exclude=./configure --exclude=./aclocal.m4 \
		--exclude=./config.h --exclude=./config.h.in --exclude=./config.log --exclude=./config.status \
		--exclude=./stamp-h1 --exclude=./fynixpool --exclude='./fynixpool-*' \
		--exclude='./doc/*.1' --exclude='./doc/*.5' .) | (cd "$1" && tar xf - --no-same-owner)
}

# quietly LOG COMMAND...: its output goes to LOG; shown when it fails
quietly()
{
	local log=$1
	shift
	if ! "$@" >>"$log" 2>&1 </dev/null; then
		tail -n 60 "$log" >&2
		die "failed: $* (all of it: $log)"
	fi
}

postgres_bindir()
{
	local d found=
	for d in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V); do
		[ -x "$d/initdb" ] && [ -x "$d/postgres" ] && [ -x "$d/pgbench" ] && found=$d
	done
	if [ -z "$found" ] && command -v initdb >/dev/null; then
		found=$(dirname "$(command -v initdb)")
	fi
	[ -n "$found" ] || die "no PostgreSQL server programs found (initdb, postgres, pgbench)"
	printf '%s\n' "$found"
}

# port_is_taken PORT: somebody listens on it, on any address
port_is_taken()
{
	awk -v want="$(printf ':%04X$' "$1")" '$4 == "0A" && $2 ~ want { found = 1 } END { exit !found }' \
		/proc/net/tcp /proc/net/tcp6 2>/dev/null
}

free_port()
{
	local port
	for _ in {1..200}; do
		port=$((20000 + RANDOM % 12000))
		port_is_taken $port || { echo $port; return; }
	done
	die "found no free port between 20000 and 32000"
}
