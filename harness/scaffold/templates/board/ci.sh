#!/bin/sh
# What the workflow runs: boards of all bundles, a share of the runs again, the page. Any failure ends it.
set -eu
cd "$(dirname "$0")"
RECOMPUTE=${RECOMPUTE:-5%}     # share of the runs that are done again, or a number of them
SEED=${SEED:-}                 # of the draw: nobody can know it before, unless one is given
TOLERANCE=${TOLERANCE:-0.1}    # points: other processors round otherwise
BY=${BY:-CI of my-board}

harness merge --into . --tolerance "$TOLERANCE"
set -- boards/*/
if [ ! -d "$1" ]; then
    echo "No bundle yet: harness publish spec.yaml --out bundles writes one."
    exit 0
fi
plugins=
for file in plugins/*.py; do
    [ -f "$file" ] && plugins="$plugins --plugin $file"
done
# shellcheck disable=SC2086
harness records verify "$@" --recompute "$RECOMPUTE" ${SEED:+--seed "$SEED"} --tolerance "$TOLERANCE" \
    --log recomputed.jsonl --by "$BY" $plugins
harness merge --into . --tolerance "$TOLERANCE"
harness page boards/*/runs --title "my-board" --out site
