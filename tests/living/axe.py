"""What axe-core finds in a page in six states. AXE names its file, which .ci/run fetches."""

import json
import os
import pathlib
import sys

from playwright.sync_api import sync_playwright

axe = pathlib.Path(os.environ.get("OFFPRINT_TEST_AXE") or pathlib.Path(os.environ["OFFPRINT_TEST_BROWSERS"]) / "axe.min.js").read_text()
found, states = [], 0


def look(page, state):
    global states
    states += 1
    page.evaluate(axe)
    for violation in page.evaluate("axe.run().then(r => r.violations)"):
        found.append(f"{state}: {violation['id']}: {[node['html'][:120] for node in violation['nodes'][:3]]}")


with sync_playwright() as p:
    browser = p.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])

    def opened(scheme="light", width=1400):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
        page = context.new_page()
        page.goto(pathlib.Path(sys.argv[1]).as_uri())
        page.wait_for_selector(".js")
        return page

    look(opened(), "light")
    look(opened("dark"), "dark")
    look(opened(width=390), "390 px")
    page = opened()
    page.locator("main .n").nth(8).click()
    look(page, "a number's card")
    page.keyboard.press("Escape")
    page.locator(".how").first.click()
    look(page, "a judgement's card")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Check every number").click()
    page.wait_for_selector("dialog")
    look(page, "a dialog")
    browser.close()
print(json.dumps({"violations": found, "states": states}))
