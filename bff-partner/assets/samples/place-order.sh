#!/usr/bin/env bash
# Places an order once, however often it has to be sent. The Idempotency-Key is the number that the order has in your
# own books, so a later run of this script means the same order, too.
#   place-order.sh NUMBER PRODUCT QUANTITY
set -euo pipefail

# curl repeats what may be repeated (408, 429, 5xx, a lost connection), and waits for as long as Retry-After says.
curl --silent --show-error --fail-with-body \
    --max-time 10 --retry 5 --retry-connrefused \
    --header "Authorization: Bearer $TRIFRONT_KEY" \
    --header "Content-Type: application/json" \
    --header "Idempotency-Key: \"$1\"" \
    --data "{\"lines\": [{\"productId\": \"$2\", \"quantity\": $3}]}" \
    "https://partner.example/v1/orders"
