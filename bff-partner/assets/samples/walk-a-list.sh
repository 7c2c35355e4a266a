#!/usr/bin/env bash
# Prints all of your orders, a hundred a line, while others are placed. Link says where the list goes on.
set -euo pipefail

head=$(mktemp)
trap 'rm -f "$head"' EXIT

next="/v1/orders?cursor=&size=100"
while [[ -n $next ]]; do
    curl --silent --show-error --fail-with-body --retry 5 \
        --header "Authorization: Bearer $TRIFRONT_KEY" \
        --dump-header "$head" \
        "https://partner.example$next"
    echo
    next=$(sed -n 's/^[Ll]ink: <\(.*\)>; rel="next".*/\1/p' "$head")
done
