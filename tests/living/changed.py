"""What a page does that somebody changed: did its script start, did anything else run, was anything asked for?"""

import json
import pathlib
import sys

from playwright.sync_api import sync_playwright

with sync_playwright() as p:
    browser = p.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
    page, requests = browser.new_page(), []
    page.on("requestfinished", lambda request: requests.append(request.url) if not request.url.startswith(("data:", "blob:")) else None)
    page.goto(pathlib.Path(sys.argv[1]).as_uri() + "#check")
    page.wait_for_timeout(3000)
    js = page.locator("html.js").count() == 1
    if js:
        page.locator("svg.fig .d[data-r]").first.click(force=True)
    check = page.evaluate("document.documentElement.dataset.check") if js else None
    ran = page.evaluate("window.ran === 1")
    text = page.locator("main").inner_text()
    browser.close()
print(json.dumps({"js": js, "ran": ran, "requests": len([r for r in requests if not r.endswith(("html#check", ".html"))]), "text": len(text), "check": json.loads(check) if check else None}))
