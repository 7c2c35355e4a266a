#!/usr/bin/env bash
# Places several orders in one call. Each has a key of its own; send the same again when you do not get the answer.
#   bulk-orders.sh FIRST_NUMBER SECOND_NUMBER
set -euo pipefail

curl --silent --show-error --fail-with-body \
    --max-time 10 --retry 5 --retry-connrefused \
    --header "Authorization: Bearer $TRIFRONT_KEY" \
    --header "Content-Type: application/json" \
    --data @- \
    "https://partner.example/v1/orders/bulk" <<BODY
{
  "orders": [
    {"idempotencyKey": "$1", "lines": [{"productId": "SKU-00001", "quantity": 2}]},
    {"idempotencyKey": "$2", "lines": [{"productId": "SKU-00002", "quantity": 1}]}
  ]
}
BODY
