"""What a reader does with a page, in Chromium. Arguments: the page, its claims.json, its runs.jsonl, a bundle, a file that is none."""

import json
import pathlib
import sys

from playwright.sync_api import sync_playwright

page_file, claims_file, runs_file, bundle, other = map(pathlib.Path, sys.argv[1:6])
claims = json.loads(claims_file.read_text())
steps, failed = 0, []


def expect(what, true):
    global steps
    steps += 1
    if not true:
        failed.append(what)


with sync_playwright() as p:
    browser = p.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
    context = browser.new_context(viewport={"width": 1400, "height": 900}, accept_downloads=True)
    page, noise = context.new_page(), []
    page.on("console", lambda message: noise.append(message.text))
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.on("request", lambda request: noise.append(request.url) if not request.url.startswith(("file:", "data:", "blob:")) else None)
    page.goto(page_file.as_uri())
    page.wait_for_selector(".js")
    card, number = page.locator("#card"), page.locator('main .n[data-c="latency.mean"]').first

    # A number: pointer, click, key; its formula and its value again; focus comes back.
    number.scroll_into_view_if_needed()
    number.hover()
    page.wait_for_selector("#card:not([hidden])")
    expect("hover shows the formula", claims["claims"]["latency.mean"]["formula"] in card.inner_text())
    expect("its value again", "Again, in your browser" in card.inner_text())
    number.click()
    page.mouse.move(5, 800)
    page.wait_for_timeout(400)
    expect("a click keeps it", card.is_visible())
    page.keyboard.press("Escape")
    expect("escape closes it", not card.is_visible())
    number.focus()
    page.keyboard.press("Enter")
    expect("enter opens it", card.is_visible())
    page.keyboard.press("Escape")
    expect("focus is back", page.evaluate("document.activeElement.dataset.c") == "latency.mean")
    block = page.evaluate("document.activeElement.closest('table,p,li,figcaption').querySelectorAll('.n').length")
    page.keyboard.press("ArrowRight")
    expect("arrows step inside a block", block < 2 or page.evaluate("document.activeElement.dataset.c") != "latency.mean")
    stops = page.evaluate("[...document.querySelectorAll('main .n')].filter(n => n.tabIndex === 0).length")
    expect(f"one tab stop a block, not one a number ({stops})", stops < 0.5 * page.locator("main .n").count())

    # A link to a number.
    page.evaluate("location.hash = '#n=' + encodeURIComponent('throughput.mean')")
    page.wait_for_timeout(200)
    expect("a link opens the number", card.is_visible() and "throughput.mean" in card.inner_text())
    page.keyboard.press("Escape")

    # A judgement with its slider.
    how = page.locator('.p[data-p="temperature.negligible"] .how').first
    sentence = page.locator('.p[data-p="temperature.negligible"]').first
    if how.count():
        before = sentence.evaluate("e => e.firstChild.textContent")
        how.click()
        word = lambda margin: (card.locator("input").fill(margin), page.wait_for_timeout(80), card.locator("output").inner_text())[-1]
        holds = claims["predicates"]["temperature.negligible"]["holds"]
        name = {True: "holds", False: "does not hold", None: "not settled"}[holds]
        own = claims["predicates"]["temperature.negligible"]["margin"]
        expect("the slider begins with the paper's verdict", name in word(str(own)))
        expect("a wide margin holds", "holds" in word("0.2") and "not" not in word("0.2"))
        expect("the sentence stays", sentence.evaluate("e => e.firstChild.textContent") == before)
        page.keyboard.press("Escape")

    # Figures: a run, arrows, a box.
    dot = page.locator("svg.fig .d[data-r]").nth(5)
    dot.scroll_into_view_if_needed()
    dot.click()
    expect("a dot opens its run", f"Run {dot.get_attribute('data-r')}" in card.inner_text())
    expect("with its text", card.locator(".out").count() == 1)
    page.keyboard.press("Escape")
    plot = page.locator(".plot[role=group]").first
    plot.focus()
    page.keyboard.press("ArrowRight")
    expect("arrows tell a run", page.locator(".live").inner_text().startswith("run ") and card.is_visible())
    page.keyboard.press("Escape")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] - 2, steps=5)
    page.mouse.up()
    marked = page.locator(".d.on").count()
    expect(f"a box marks runs in all figures ({marked})", marked > 20 and page.locator("html.sel").count() == 1)
    expect("and says how many", "marked" in page.locator("#bar [role=status]").inner_text())
    page.get_by_role("button", name="Unmark").click()
    expect("unmarked", page.locator("html.sel").count() == 0)
    number.click()
    card.get_by_role("button", name="Rows").click()
    expect("the rows behind a number", page.locator("dialog tbody tr").count() == claims["claims"]["latency.mean"]["n"])
    page.keyboard.press("Escape")

    # Tables: sorted, copied unrounded.
    table = page.locator("main table", has=page.locator('.n[data-c="latency.mean"]')).first
    table.locator("th button").nth(2).click()
    values = table.evaluate("t => [...t.tBodies[0].rows].map(r => parseFloat(r.cells[2].textContent))")
    expect("sorted", values == sorted(values))
    holder = table.locator("xpath=ancestor::figure")
    for way, part in [("CSV, unrounded", repr(claims["claims"]["latency.mean"]["value"])), ("Markdown", "| --"[2:]), ("LaTeX", "\\begin{tabular}")]:
        holder.locator(".tools summary").click()
        holder.get_by_role("button", name=way).click()
        expect(f"copied as {way}", part in page.evaluate("Page.copied"))

    # The files come out byte for byte.
    for name, file in [("Records", runs_file), ("Claims", claims_file)]:
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name, exact=True).click()
        expect(f"{name} are the file's bytes", pathlib.Path(waiting.value.path()).read_bytes() == file.read_bytes())

    # Every number.
    page.get_by_role("button", name="Check every number").click()
    page.wait_for_selector("dialog")
    said = page.locator("dialog").inner_text()
    expect("every number agrees", "Other values" not in said and "have the SHA-256 that the paper names" in said)
    page.keyboard.press("Escape")

    # Another run, a bundle, and what is neither.
    page.set_input_files("#bar input", str(runs_file))
    page.wait_for_selector("dialog")
    expect("its own rows beside it", "1.000" in page.locator("dialog").inner_text())
    page.keyboard.press("Escape")
    page.wait_for_timeout(100)
    page.set_input_files("#bar input", str(bundle))
    page.wait_for_selector("dialog")
    expect("a bundle beside it", "runs;" in page.locator("dialog").inner_text())
    page.keyboard.press("Escape")
    page.wait_for_timeout(100)
    page.set_input_files("#bar input", str(other))
    page.wait_for_selector("dialog")
    expect("what is no run is told", "no rows that this page can read" in page.locator("dialog").inner_text())
    page.keyboard.press("Escape")
    # An archive of a hundred million zeros.
    import io, zipfile
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/runs.jsonl", b"\0" * 100_000_000)
    page.wait_for_timeout(100)
    page.set_input_files("#bar input", {"name": "bomb.zip", "mimeType": "application/zip", "buffer": bomb.getvalue()})
    page.wait_for_selector("dialog")
    expect("an archive that swells is given up", "no rows that this page can read" in page.locator("dialog").inner_text())
    expect(f"no word on the console, no request: {noise[:3]}", not noise)
    context.close()

    # Without a script, at three widths: the whole paper, and no page wider than its window.
    for width in [1400, 768, 390]:
        for scripts in [True, False]:
            context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=scripts)
            page = context.new_page()
            page.goto(page_file.as_uri())
            box = page.locator("main").bounding_box()
            expect(f"{width} px, scripts {scripts}: nothing sticks out", box["x"] >= 0 and box["x"] + box["width"] <= width)
            expect(f"{width} px, scripts {scripts}: figures", page.locator("svg.fig").count() == len(list(page_file.parent.glob("figures/*.svg"))))
            context.close()
    browser.close()
print(json.dumps({"steps": steps, "failed": failed}))
