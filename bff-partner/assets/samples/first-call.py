"""The first call: one product. Your key is in the environment, as TRIFRONT_KEY."""

import json
import os
import urllib.request

request = urllib.request.Request(
    "https://partner.example/v1/products?size=1",
    headers={"Authorization": f"Bearer {os.environ['TRIFRONT_KEY']}"},
)
with urllib.request.urlopen(request, timeout=10) as answer:
    print(json.load(answer)["content"][0]["name"])
