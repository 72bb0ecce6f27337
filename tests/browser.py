"""A browser on the built site: Debian's Chromium, driven by Playwright."""

import contextlib
import functools
import http.server
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import axe_playwright_python
from chromium import program
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if not {"_static", "slides"} & {*path.relative_to(SITE).parts}  # tests/test_slides.py tries the decks
)
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
RULES = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
DESK, PHONE = {"width": 1300, "height": 900}, {"width": 360, "height": 740}

# The rules take a minute for the thousands of boxes of a chapter's mathematics and coloured code. So empty
# boxes of the same size stand in for KaTeX's visual half, which is hidden from assistive technology and
# inherits its colour; and each colour of code is checked once.
THIN = """() => {
    const boxes = [...document.querySelectorAll(".katex-html")];
    boxes.map(box => [box, box.getBoundingClientRect()]).forEach(([box, {width, height}]) => {
        box.replaceChildren();
        box.style = `display: inline-block; width: ${width}px; height: ${height}px`; });
    document.querySelectorAll("main math").forEach(math => math.textContent = "x");
    const seen = new Set();
    document.querySelectorAll("pre span[class]").forEach(span => {
        if (seen.has(span.className)) span.replaceWith(...span.childNodes);
        seen.add(span.className); });
}"""

CHECK = """axe.run({preload: false, resultTypes: ["violations"],
        rules: {"label-content-name-mismatch": {enabled: true}}})
    .then(found => found.violations.flatMap(rule => rule.nodes.map(node => [rule.id,
        node.target.join(" "), node.failureSummary.split("\\n").slice(1, 3).join("; ")].join(" | "))))"""

# Icons whose font is none of those that the page declares.
ICONS = """() => {
    const there = new Set([...document.fonts].map(face =>
        `${face.family.replaceAll('"', "")} ${face.weight}`));
    return [...document.querySelectorAll("body *")].flatMap(element =>
        ["::before", "::after"].flatMap(part => {
            const {fontFamily, fontWeight, content} = getComputedStyle(element, part);
            const name = `${fontFamily.replaceAll('"', "")} ${fontWeight}`;
            return content !== "none" && name.startsWith("Font Awesome") && !there.has(name)
                ? [`${element.className}${part}: ${name}`] : []; })); }"""

# Timers of a page end in their order: the second one comes after the theme's, which waits 300 ms after a
# change of size. Then colours may still fade.
SETTLE = """async () => {
    const frame = () => new Promise(requestAnimationFrame);
    await frame(); await frame();
    await new Promise(done => setTimeout(done, 350));
    const moving = () => document.getAnimations().some(animation => animation.playState === "running");
    for (let n = 0; n < 600 && moving(); n++) await frame();
}"""

WATCH = """window.shift = 0; window.paint = 0;
    new PerformanceObserver(list => list.getEntries().forEach(entry => {
        if (!entry.hadRecentInput) window.shift += entry.value;
    })).observe({type: "layout-shift", buffered: true});
    new PerformanceObserver(list => list.getEntries().forEach(entry => {
        window.paint = entry.startTime;
    })).observe({type: "largest-contentful-paint", buffered: true});"""


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the site without a word."""

    def log_message(self, *args):
        pass

    def copyfile(self, source, outputfile):
        with contextlib.suppress(ConnectionError):  # the browser has left
            super().copyfile(source, outputfile)


class Server(http.server.ThreadingHTTPServer):
    """Lets a page ask for all its files at once while the machine is busy; five may wait otherwise."""

    request_queue_size = 128


@contextlib.contextmanager
def serve(folder=SITE):
    """Serve a folder on this machine; yield its address."""
    handler = functools.partial(Handler, directory=str(folder))
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def start():
    """Start the browser; yield it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A page, opened as on a first visit: what it asks for, what it complains of, how it moves."""

    def __init__(self, browser, address, *, scheme="light", viewport=None, javascript=True, touch=False):
        self.context = browser.new_context(
            viewport=viewport or DESK, color_scheme=scheme, java_script_enabled=javascript, has_touch=touch
        )
        self.asked, self.errors = [], []
        self.page = self.context.new_page()
        self.page.add_init_script(WATCH)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self.note)
        self.page.goto(address, wait_until="load")

    def note(self, message):
        """Keep what the console calls an error or a warning."""
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.context.close()

    def look(self, scheme, viewport):
        """Show the page in a colour scheme and a window of a size."""
        self.page.set_viewport_size(viewport)
        self.page.evaluate("scheme => document.documentElement.dataset.theme = scheme", scheme)
        self.page.evaluate(SETTLE)

    def scroll(self):
        """Show every part of the page once, as a reader would, so that it loads everything."""
        self.page.evaluate("""async () => {
            for (let y = 0; y < document.documentElement.scrollHeight; y += 3000) {
                scrollTo(0, y); await new Promise(requestAnimationFrame); }
            scrollTo(0, 0);
            await Promise.all([...document.images].map(image => {
                image.loading = "eager";  // or one that came and went within a frame would never load
                return image.decode().catch(() => {}); }));
        }""")

    def elsewhere(self, origin):
        """Return the requests that go to another place."""
        return [url for url in self.asked if not url.startswith((origin, "data:", "blob:"))]

    def weight(self):
        """Return the uncompressed bytes of everything asked for."""
        paths = {unquote(urlsplit(url).path).lstrip("/") for url in self.asked if url.startswith("http")}
        return sum((SITE / path).stat().st_size for path in paths if (SITE / path).is_file())

    def violations(self):
        """Return what axe-core finds, a line each."""
        if not self.page.evaluate("typeof axe !== 'undefined'"):
            self.page.evaluate(THIN)
            self.page.evaluate(RULES)
        return self.page.evaluate(CHECK)

    def plots(self):
        """Return of each plot the pixels of its labels, and whether it scrolls, says so, has a tab stop.

        A plot has 160 dots an inch and letters of 8 points or more, a drawing letters of 12 units or more.
        """
        return self.page.evaluate("""() => [...document.querySelectorAll("main figure img")]
        .filter(image => image.checkVisibility()).map(image => {
            const box = image.closest(".plot"), plot = image.src.endsWith(".webp");
            const scale = image.clientWidth / (plot ? image.naturalWidth : image.getAttribute("width"));
            return {source: image.src, label: scale * (plot ? 8 * 160 / 72 : 12),
                scrolls: box.scrollWidth > box.clientWidth + 1, keyboard: box.tabIndex === 0,
                cue: getComputedStyle(box, "::after").content.includes("scroll")}; })""")

    def overflow(self):
        """Return by how many pixels the page scrolls sideways."""
        return self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
