#!/usr/bin/env bash
# Makes many calls and keeps to the limits of your plan.
#   keep-to-limits.sh CALLS
set -euo pipefail

head=$(mktemp)
trap 'rm -f "$head"' EXIT

field() { sed -n "s/^$1: *\([^\r]*\).*/\1/p" "$head"; }

for ((page = 0; page < $1; page++)); do
    while :; do
        status=$(curl --silent --show-error --output /dev/null --write-out '%{http_code}' \
            --header "Authorization: Bearer $TRIFRONT_KEY" \
            --dump-header "$head" \
            "https://partner.example/v1/products?size=1&page=$page")
        [[ $status == 429 ]] || break
        # A refused call has cost nothing. Who comes back after this time is let in.
        sleep "$(field '[Rr]etry-[Aa]fter')"
    done
    echo "$status $(field '[Rr]ate[Ll]imit')"
done
