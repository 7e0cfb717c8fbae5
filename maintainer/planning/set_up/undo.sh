#!/bin/sh
# Takes back what `maintainer node prepare @node@` has set up here. Read it, then run it as root, here.
#
# An account or a database role that had been there before stays, and so does an account that other keys let in; only the
# controller's key is taken from it.

set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
cd /

@variables@

say() { printf 'undo: %s\n' "$1"; }
[ "$(id -u)" = 0 ] || { echo 'undo: run this as root' >&2 && exit 1; }

# The key first: from here on the controller is out.
home=$(getent passwd "$user" | cut -d: -f6)
keys=$home/.ssh/authorized_keys
if [ -n "$home" ] && [ -f "$keys" ]; then
    others=$(grep -vF -e "$key" "$keys" || true)
    if [ -n "$others" ]; then
        new=$(mktemp "$keys.XXXXXX")
        printf '%s\n' "$others" >"$new"
        chmod --reference="$keys" "$new" && chown --reference="$keys" "$new"
        mv -f "$new" "$keys"
    else
        rm -f "$keys"
    fi
    say "the key is gone from $keys"
fi
rm -f "$sudoers" "$program" "$policy"
rm -rf "$state"
rmdir "${program%/*}" "${policy%/*}" 2>/dev/null || true
say "$sudoers, $program and $policy are gone"
if [ "$(getent passwd "$user" | cut -d: -f5)" = "$mark" ] && [ ! -e "$keys" ]; then
    rmdir "$home/.ssh" "$home" 2>/dev/null || true
    if userdel "$user"; then say "the account $user is gone"; else say "the account $user is still there: userdel $user"; fi
fi

role_sql() {
    cat <<'SQL'
@sql@
SQL
}
if [ "$database_here" = yes ] && getent passwd postgres >/dev/null && command -v psql >/dev/null; then
    role_sql | runuser -u postgres -- env PGDATABASE="$database" PGPORT="$port" \
        psql -X -q -t -A -v ON_ERROR_STOP=1 -v role="$role" -v mark="$mark"
elif [ -n "$database" ]; then
    say "no PostgreSQL of this machine's own: on the database's machine, as its superuser, put this into"
    say "$by_hand"
    role_sql
fi
