"""Uses the page of `pipeline serve` in Chromium as a person would.

    python serve.py /usr/bin/chromium http://127.0.0.1:8080 PHOTOS SHOTS

PHOTOS is the folder that the model was trained on, with train/cats and a file broken.jpg that is none; pictures of the page go
to SHOTS.
"""

import base64
import os
import re
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTHS = {390: 844, 1440: 900}


def require(condition, message):
    if not condition:
        sys.exit(f"FAILED {message}")


def opened(browser, url, **settings):
    """A page in a window of its own, and all that it asked for and that went wrong."""
    context = browser.new_context(reduced_motion="reduce", **settings)
    page = context.new_page()
    page.set_default_timeout(60_000)
    asked, wrong = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    # A status of 4xx is said in the console, too; those are asked for here.
    page.on("console", lambda said: said.type in ("error", "warning") and "status of 4" not in said.text and wrong.append(said.text))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.goto(url)
    return page, asked, wrong


def drop(page, files):
    """Drops files on the page: (name, content)."""
    data = page.evaluate_handle(
        """(files) => {
            const data = new DataTransfer();
            for (const [name, content] of files) {
                const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
                data.items.add(new File([bytes], name, { type: "image/jpeg" }));
            }
            return data;
        }""",
        [[name, base64.b64encode(content).decode()] for name, content in files],
    )
    for event in ["dragenter", "dragover", "drop"]:
        page.dispatch_event("#drop", event, {"dataTransfer": data})


def answered(page, count):
    page.wait_for_function("(count) => document.querySelector('#status').textContent.startsWith(count)", arg=f"{count} photo")


def nothing_overflows(page, what):
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    require(wide <= 0, f"{what}: the page is {wide} pixels wider than the window")


def main():
    chromium, url, photos, shots = sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    shots.mkdir(exist_ok=True)
    train = [path for folder in ["cats", "dogs"] for path in sorted((photos / "train" / folder).iterdir())[:2]]
    # Names of files are other people's; not all may be written to every disk.
    evil = '"><img src=x onerror=alert(1)>.jpg'
    files = [(evil, train[0].read_bytes())] + [(path.name, path.read_bytes()) for path in train[1:]]
    files.append(("broken.jpg", (photos / "broken.jpg").read_bytes()))
    # As root, Chromium has no sandbox.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        for scheme, (width, height) in zip(["dark", "light"], WIDTHS.items()):
            page, asked, wrong = opened(browser, url, viewport={"width": width, "height": height}, color_scheme=scheme)
            page.wait_for_function("document.querySelector('#about').textContent !== ''")
            page.screenshot(path=shots / f"empty-{width}-{scheme}.png")
            drop(page, files)
            answered(page, len(files))
            cards = page.locator(".photo")
            require(cards.count() == len(files), f"{cards.count()} cards")
            require(cards.nth(0).locator(".name").inner_text() == evil, cards.nth(0).inner_text())
            for at in range(len(train)):
                heading = cards.nth(at).locator("h2").inner_text()
                require(re.fullmatch(r"(cats|dogs) [<>]?\d+\.\d %", heading), heading)
                require(cards.nth(at).locator(".classes dt").count() == 2, cards.nth(at).inner_text())
                near = cards.nth(at).locator(".near li")
                require(near.count() == 5, f"{near.count()} neighbours")
                require("1.000" in near.nth(0).inner_text(), near.nth(0).inner_text())
            near = cards.nth(0).locator(".near img").first
            near.scroll_into_view_if_needed()
            page.wait_for_function("(image) => image.complete && image.naturalWidth > 0", arg=near.element_handle())
            print("ok photos that are dropped have classes and training photos")
            bad = cards.nth(len(train)).inner_text()
            require("No answer" in bad and "What helps" in bad, bad)
            print("ok a bad photo says why")
            page.check("#heat", force=True)
            page.wait_for_function("() => document.querySelectorAll('.view img[src^=\"data:\"]').length === 4")
            page.screenshot(path=shots / f"heat-{width}-{scheme}.png", full_page=True)
            page.uncheck("#heat", force=True)
            require(page.locator('.view img[src^="data:"]').count() == 0, "the heat stays")
            nothing_overflows(page, f"{width} {scheme}")
            page.screenshot(path=shots / f"photos-{width}-{scheme}.png", full_page=True)
            page.click("#clear")
            require(cards.count() == 0 and page.locator("#bar").is_hidden(), "not cleared")
            page.set_input_files("#files", [str(path) for path in train[:2]])
            answered(page, 2)
            require(all(address.startswith((url, "blob:", "data:")) for address in asked), f"{asked}")
            require(not wrong, f"{wrong}")
            print(f"ok {width} pixels, {scheme}: heat, clearing, choosing; nothing asked for elsewhere")
            page.context.close()
        page, _, _ = opened(browser, url, viewport={"width": 1440, "height": 900}, java_script_enabled=False)
        require("curl" in page.inner_text("main"), "no way out without script")
        page.context.close()
        browser.close()


main()
