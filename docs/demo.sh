#!/bin/sh
# The whole job on a practice PACS: `make demo` runs this, and the README's transcript is made from it.
# Each line is shown, run, and its exit code held against those that it may have.
set -u
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

step() {
    allowed=$1
    shift
    printf '\n$ %s\n' "$*"
    "$@"
    code=$?
    case " $allowed " in
        *" $code "*) ;;
        *) printf 'demo: `%s` ended with %s, and may only end with: %s\n' "$*" "$code" "$allowed" >&2; exit 1 ;;
    esac
}

step 0 maintainer practice up --fresh
step 0 maintainer practice break all
step "0 1" maintainer check
step 1 maintainer plan
step 1 maintainer run --yes
step 1 maintainer plan
step 0 maintainer log verify

cat <<'END'

What is left are findings about damaged objects: maintainer never repairs or deletes those, a person decides.
The practice PACS goes on running; try on it what you like:

    . .venv/bin/activate
    maintainer status
    maintainer practice break hung-archive
    maintainer run
    maintainer log list --ending done

It stops with:  maintainer practice down           and leaves nothing behind with:  maintainer practice down --wipe
END
