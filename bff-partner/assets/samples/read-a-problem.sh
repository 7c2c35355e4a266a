#!/usr/bin/env bash
# Decides by the code of a problem what to do; codes never change their meaning, texts may.
#   read-a-problem.sh PRODUCT
set -euo pipefail

answer=$(curl --silent --show-error \
    --header "Authorization: Bearer $TRIFRONT_KEY" \
    --header "Content-Type: application/json" \
    --header "Idempotency-Key: \"try-$1\"" \
    --data "{\"lines\": [{\"productId\": \"$1\", \"quantity\": 1}]}" \
    "https://partner.example/v1/orders")
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<<"$answer"; }

case $(member code) in
    "") echo "ordered: $(member id)" ;;
    order-not-accepted) echo "not for sale: $1" ;;
    validation-failed | malformed-body) echo "our own mistake: $answer" ;;
    rate-limited | overloaded | downstream-*) echo "later" ;;
    *) echo "ask support about $(member requestId)" ;;
esac
