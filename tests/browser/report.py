"""Opens pages of the report in Chromium and uses them as a person would.

    python report.py /usr/bin/chromium FOLDER

FOLDER holds evil.html, classes.html, right.html and large.html, each with a .json of the photos that it must show.
"""

import json
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTHS = {390: 844, 1440: 900}
SCHEMES = ["light", "dark"]

# What a page with 100,000 photos may take, in seconds. Measured on two cores with ten other programs at work: 2.1 s to load,
# at most 0.4 s for anything else.
MOST_TO_LOAD, MOST_FOR_A_STEP = 4.0, 1.0


def require(condition, message):
    if not condition:
        sys.exit(f"FAILED {message}")


class Report:
    """A page that is open, and what it must show."""

    def __init__(self, page, folder, name):
        self.page = page
        expected = json.loads((folder / f"{name}.json").read_text())
        self.classes, self.photos = expected["classes"], expected["photos"]
        page.goto((folder / f"{name}.html").as_uri())

    def names(self):
        """The names that the list shows, over all its pages."""
        names = self.page_names()
        while self.page.locator("#next").is_enabled():
            self.page.click("#next")
            names += self.page_names()
        return names

    def page_names(self):
        return self.page.locator("#list tbody tr td:nth-child(2)").all_text_contents()

    def require_names(self, photos, what):
        found, expected = self.names(), [photo["name"] for photo in photos]
        require(sorted(found) == sorted(expected), f"{what}: {len(found)} photos {found[:5]}, expected {len(expected)}")


@contextmanager
def opened(browser, folder, name, **settings):
    """A page in a window of its own. Nothing may be asked for, said in the console, or shown in a dialog."""
    context = browser.new_context(reduced_motion="reduce", **settings)
    wrong = []

    def look_at(route):
        url = route.request.url
        if url.startswith(("file:", "data:")):
            route.continue_()
        else:
            wrong.append(f"asked for {url}")
            route.abort()

    def dismiss(dialog):
        wrong.append(f"dialog {dialog.message}")
        dialog.dismiss()

    page = context.new_page()
    page.route("**/*", look_at)
    page.on("request", lambda request: request.url.startswith(("file:", "data:")) or wrong.append(request.url))
    page.on("console", lambda message: wrong.append(f"{message.type} {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error {error}"))
    page.on("dialog", dismiss)
    yield Report(page, folder, name)
    require(not wrong, f"{name}: {wrong}")
    context.close()


def cells_open_their_photos(report):
    cells = report.page.locator(".matrix button[data-row]")
    require(cells.count() >= 4, f"{cells.count()} cells")
    for at in range(cells.count()):
        row, column = (int(cells.nth(at).get_attribute(name)) for name in ("data-row", "data-column"))
        cells.nth(at).click()
        behind = [p for p in report.photos if p["label"] == row and p["predicted"] == column]
        require(f"{len(behind):,}" == cells.nth(at).locator(".n").text_content(), f"cell {row}, {column}: {len(behind)}")
        report.require_names(behind, f"cell {row}, {column}")
        require(report.page.locator("#shown").is_visible(), "the list is not on the screen")
    pair = report.page.locator(".pairs button").first
    row, column = (int(pair.get_attribute(name)) for name in ("data-row", "data-column"))
    pair.click()
    behind = [p for p in report.photos if p["label"] == row and p["predicted"] == column]
    report.require_names(behind, f"pair {row}, {column}")
    report.page.click("#clear")
    report.require_names(report.photos, "after clear")
    print(f"ok {cells.count()} cells open exactly the photos behind them")


def filters_narrow_the_list(report):
    page = report.page
    wrong = [p for p in report.photos if p["label"] is not None and p["label"] != p["predicted"]]
    page.check("#only-wrong")
    report.require_names(wrong, "only wrong")
    page.select_option("#by-predicted", "0")
    report.require_names([p for p in wrong if p["predicted"] == 0], "wrong and predicted 0")
    page.click("#clear")
    page.fill("#by-name", "CAT.1")
    report.require_names([p for p in report.photos if "cat.1" in p["name"].lower()], "name")
    page.fill("#by-name", "no such name")
    report.require_names([], "no name")
    page.click("#clear")
    page.select_option("#by-label", "1")
    report.require_names([p for p in report.photos if p["label"] == 1], "label 1")
    page.click("#clear")
    print("ok the list is filtered by name, label, prediction and whether wrong")


def columns_sort_the_list(report):
    page = report.page
    for key in ["name", "label", "predicted", "confidence", "loss"]:
        for _ in range(2):
            page.click(f"#list button[data-key={key}]")
            direction = page.locator("#list th[aria-sort]").get_attribute("aria-sort")
            by_name = {p["name"]: p for p in report.photos}
            values = [by_name[name][key] for name in report.names()]
            known = [v.lower() if key == "name" else round(v, 4) for v in values if v is not None]
            require(values[: len(known)].count(None) == 0, f"{key}: those without one come last")
            # The page rounds to 5 decimals before it sorts.
            in_order = sorted(known, reverse=direction == "descending")
            require(known == in_order, f"{key} {direction}: {known[:5]}, expected {in_order[:5]}")
    page.click(".sortable thead th:nth-child(3) button")
    values = [float(v) for v in page.locator(".sortable tbody td:nth-child(3)").evaluate_all("cells => cells.map(c => c.dataset.value)")]
    require(values == sorted(values, reverse=True) and len(values) == len(report.classes), f"precision: {values}")
    print("ok each column sorts, up and down")


def names_stay_text(report):
    page = report.page
    evil = report.photos[0]["name"]
    page.fill("#by-name", "onerror")
    require(page.get_by_text(evil, exact=True).first.is_visible(), "the photo's name is not to be read")
    page.click("#clear")
    found = page.evaluate("[document.scripts.length, document.querySelectorAll('[onerror], [src=x]').length]")
    require(found == [2, 0], f"scripts and elements from names: {found}")
    options = page.locator("#by-label option").all_text_contents()
    require(options == ["any", *report.classes], f"{options}")
    print("ok names that look like HTML are text")


def heat_is_switched(report):
    page = report.page
    heat = page.locator(".heat").first
    require(not heat.is_visible(), "heat is shown at first")
    page.click("label[for=heat]")
    require(heat.is_visible(), "heat is not shown")
    page.click("label[for=heat]")
    shares, counts = page.locator(".matrix .s").first, page.locator(".matrix .n").first
    page.click("label[for=as-shares]")
    require(shares.is_visible() and not counts.is_visible(), "shares of rows")
    page.click("label[for=as-counts]")
    require(counts.is_visible() and not shares.is_visible(), "counts")


def nothing_overflows(report, what):
    for selector in ["html", "body", "main"]:
        wide, room = report.page.locator(selector).evaluate("e => [e.scrollWidth, Math.min(e.clientWidth, innerWidth)]")
        require(wide <= room, f"{what}: {selector} is {wide} wide in {room}")
    require(report.page.locator("h1").is_visible(), f"{what}: no verdict")


def paper_shows_what_matters(report):
    page = report.page
    page.emulate_media(media="print")
    for selector in ["h1", ".figures", ".static", "#confusion table", "#reproduce pre"]:
        require(page.locator(selector).first.is_visible(), f"{selector} is not printed")
    for selector in ["nav", "#list", ".filters", ".switch + label"]:
        require(not page.locator(selector).first.is_visible(), f"{selector} is printed")
    wrong = sum(p["label"] is not None and p["label"] != p["predicted"] for p in report.photos)
    rows = page.locator(".static tbody tr").count()
    require(rows == min(wrong, 200), f"{rows} rows are printed, expected the {wrong} wrong ones")
    require(page.pdf().startswith(b"%PDF"), "no PDF")
    page.emulate_media(media="screen")
    print(f"ok on paper the verdict and {rows} wrong photos")


def a_large_page_is_quick(report, load):
    """Each step until its rows are painted."""
    page = report.page
    took = {"load": load}

    def step(name, act):
        start = time.monotonic()
        act()
        page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        took[name] = time.monotonic() - start

    def shown(start):
        text = page.locator("#shown").text_content()
        require(text.startswith(start), f"large: {text}, expected {start}")

    shown("100,000 of 100,000 photos")
    step("filter by name", lambda: page.fill("#by-name", "dog.99"))
    shown(f"{sum('dog.99' in p['name'] for p in report.photos):,} of")
    step("clear", lambda: page.click("#clear"))
    step("only wrong", lambda: page.check("#only-wrong"))
    shown(f"{sum(p['label'] != p['predicted'] for p in report.photos):,} of")
    step("clear again", lambda: page.click("#clear"))
    for key in ["name", "confidence", "label"]:
        step(f"sort by {key}", lambda: page.click(f"#list button[data-key={key}]"))
    require(len(report.page_names()) == 50, "a page of the list")
    step("next", lambda: page.click("#next"))
    step("cell", lambda: page.locator(".matrix button[data-row]").nth(1).click())
    step("scroll", lambda: page.evaluate("scrollTo(0, document.documentElement.scrollHeight)"))
    with_pictures = page.locator("#all .js-only > p").first.text_content()
    require("photos have no small picture" in with_pictures, f"how many have no picture: {with_pictures}")
    print(f"ok 100,000 photos: {', '.join(f'{name} {seconds:.2f} s' for name, seconds in took.items())}")
    for name, seconds in took.items():
        most = MOST_TO_LOAD if name == "load" else MOST_FOR_A_STEP
        require(seconds <= most, f"large: {name} took {seconds:.2f} s, expected at most {most} s")


def measures_are_explained(report):
    rows = report.page.locator(".models tbody th")
    names = [text.split("\n")[0] for text in rows.all_inner_texts()]
    for name in ["Right (accuracy)", "Macro F1", "Cohen’s kappa", "Average precision", "Temperature"]:
        require(name in names, f"{name} is not among {names}")
    for at in range(rows.count()):
        what = rows.nth(at).locator("small").inner_text()
        require(rows.nth(at).locator("small").is_visible() and len(what) > 20, f"{names[at]}: {what}")
    print(f"ok {len(names)} measures are explained")


def main():
    chromium, folder = sys.argv[1], Path(sys.argv[2])
    # As root, Chromium has no sandbox.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        with opened(browser, folder, "evil", viewport={"width": 1440, "height": 900}) as report:
            names_stay_text(report)
            measures_are_explained(report)
            heat_is_switched(report)
            print("ok switches need no script")
            cells_open_their_photos(report)
            filters_narrow_the_list(report)
            columns_sort_the_list(report)
            paper_shows_what_matters(report)
        for name in ["evil", "classes"]:
            for width, height in WIDTHS.items():
                for scheme in SCHEMES:
                    viewport = {"width": width, "height": height}
                    with opened(browser, folder, name, viewport=viewport, color_scheme=scheme) as report:
                        nothing_overflows(report, f"{name} {width} {scheme}")
                        print(f"ok {name} fits {width} pixels, {scheme}")
        with opened(browser, folder, "evil", viewport={"width": 390, "height": 844}, java_script_enabled=False) as report:
            require(report.page.locator(".static").is_visible(), "no list of wrong photos without script")
            require(not report.page.locator("#list").is_visible(), "an empty list without script")
            heat_is_switched(report)
            print("ok without script the wrong photos are listed and switches work")
        with opened(browser, folder, "right", viewport={"width": 390, "height": 844}) as report:
            report.page.check("#only-wrong")
            report.require_names([], "none is wrong")
            nothing_overflows(report, "right")
            print("ok a page without wrong photos works")
        start = time.monotonic()
        with opened(browser, folder, "large", viewport={"width": 1440, "height": 900}) as report:
            a_large_page_is_quick(report, time.monotonic() - start)
        browser.close()


if __name__ == "__main__":
    main()
