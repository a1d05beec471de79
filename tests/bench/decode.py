"""Photos a second that Pillow and libjpeg-turbo (by simplejpeg) decode, beside `crates/ingest/examples/rates.rs`.

    python decode.py PHOTOS COUNT THREADS     # prints `pillow RATE` and, where simplejpeg is installed, `turbo RATE`

The first COUNT .jpg files below PHOTOS by their paths. Both decoders let go of the interpreter's lock while they work.
"""
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

photos, count, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])


def jpegs(folder):
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from jpegs(path)
        elif path.suffix == ".jpg":
            yield path


def pillow(path):
    with Image.open(path) as image:
        image.convert("RGB").load()


def rate(decode):
    with ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        for _ in pool.map(decode, files, chunksize=16):
            pass
        return len(files) / (time.perf_counter() - started)


files = list(jpegs(photos))[:count]
for path in files:
    path.read_bytes()
print("pillow %.1f" % rate(pillow))
try:
    import simplejpeg
except ImportError:
    sys.exit()
print("turbo %.1f" % rate(lambda path: simplejpeg.decode_jpeg(path.read_bytes(), "RGB", fastdct=False, fastupsample=False)))
