#!/usr/bin/env bash
# The first call: one product. Your key is in the environment, as TRIFRONT_KEY.
set -euo pipefail

curl --silent --show-error --fail-with-body \
    --header "Authorization: Bearer $TRIFRONT_KEY" \
    "https://partner.example/v1/products?size=1"
