"""Makes the files of this folder, kinds of pictures and of damage, and `expected.json`, what each should be answered.

    python make_variants.py        # Pillow 13.0

Mean colours are Pillow's: first frame, upright, alpha dropped, 16 bits scaled. Verdicts are this script's: what is whole is
`ok`, `warn` is used and odd, `bad` is set aside. `reasons` are the words that ours may give.
"""
import io, json, pathlib, struct, zlib
from PIL import Image, ImageFile, ImageOps
import numpy as np

HERE = pathlib.Path(__file__).parent
W, H = 45, 31
y, x = np.mgrid[:H, :W].astype(float)
RGB = np.stack([127 + 100 * np.sin(x / 9), 60 + y * 4, 200 - x * 2 - y], 2).clip(0, 255).astype(np.uint8)
PICTURE = Image.fromarray(RGB)
EXPECTED = {}


def save(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def mean(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    if image.mode.startswith("I;16") or image.mode == "I":
        return [round(float(np.asarray(image).mean() / 257), 3)] * 3
    image = ImageOps.exif_transpose(image)
    return [round(float(v), 3) for v in np.asarray(image.convert("RGB")).reshape(-1, 3).mean(0)]


def put(name, data, verdict="ok", reasons=(), colour=None):
    """`colour`: `None` is Pillow's, `False` is not compared, else itself."""
    (HERE / name).write_bytes(data)
    entry = {"verdict": verdict}
    if reasons:
        entry["reasons"] = [reasons] if isinstance(reasons, str) else list(reasons)
    if verdict != "bad" and colour is not False:
        entry["mean_rgb"] = mean(data) if colour is None else colour
    EXPECTED[name] = entry


def cut(name, data, at, verdict="bad", reasons="truncated"):
    put(name, data[: int(len(data) * at)], verdict, reasons, colour=False)


# --- JPEG -------------------------------------------------------------------------------------------------------
def jpeg(image=PICTURE, quality=90, **options):
    return save(image, "JPEG", quality=quality, **options)


def segment(marker, payload):
    return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload


def after_start(data, *segments):
    return data[:2] + b"".join(segments) + data[2:]


def without(data, marker):
    """Without the segments of a marker, of the headers."""
    out, at = data[:2], 2
    while data[at + 1] != 0xDA:
        end = at + 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
        if data[at + 1] != marker:
            out += data[at:end]
        at = end
    return out + data[at:]


def exif(orientation, big, kind=3, count=1):
    e = ">" if big else "<"
    value = {1: struct.pack("B3x", orientation), 3: struct.pack(e + "H2x", orientation), 4: struct.pack(e + "I", orientation)}[kind]
    return (b"MM\0*" if big else b"II*\0") + struct.pack(e + "IHHHI", 8, 1, 0x112, kind, count) + value + struct.pack(e + "I", 0)


GREY, CMYK = PICTURE.convert("L"), PICTURE.convert("CMYK")
for subsampling in ["4:4:4", "4:2:2", "4:2:0"]:
    for kind in ["baseline", "progressive"]:
        name = f"jpeg_{kind}_{subsampling.replace(':', '')}.jpg"
        put(name, jpeg(subsampling=subsampling, progressive=kind == "progressive"))
        cut("cut40_" + name, jpeg(subsampling=subsampling, progressive=kind == "progressive"), 0.9 if kind == "progressive" else 0.7)
put("jpeg_grey_progressive.jpg", jpeg(GREY, progressive=True))
put("jpeg_grey_restarts.jpg", jpeg(GREY, restart_marker_blocks=2))
put("jpeg_restart_rows.jpg", jpeg(restart_marker_rows=1))
put("jpeg_restart_rows_progressive.jpg", jpeg(restart_marker_rows=1, progressive=True))
put("jpeg_cmyk.jpg", jpeg(CMYK))
put("jpeg_cmyk_progressive.jpg", jpeg(CMYK, progressive=True))
put("jpeg_cmyk_without_adobe.jpg", without(jpeg(CMYK), 0xEE))
put("jpeg_rgb_adobe.jpg", jpeg(keep_rgb=True))
put("jpeg_without_jfif.jpg", without(jpeg(), 0xE0))
put("jpeg_quality_1.jpg", jpeg(quality=1))
put("jpeg_quality_100.jpg", jpeg(quality=100))
put("jpeg_optimised.jpg", jpeg(optimize=True))
put("jpeg_1x1.jpg", jpeg(PICTURE.resize((1, 1))))
put("jpeg_8x1.jpg", jpeg(PICTURE.resize((8, 1))))
put("jpeg_1x17_420.jpg", jpeg(PICTURE.resize((1, 17)), subsampling="4:2:0"))
put("jpeg_icc.jpg", jpeg(icc_profile=b"no profile at all"))
put("jpeg_comment.jpg", after_start(jpeg(), segment(0xFE, b"\xff\xd8\xff\xd9 \xe4")))
put("jpeg_thumbnail.jpg", after_start(jpeg(), segment(0xE1, b"Exif\0\0" + exif(1, True) + jpeg(PICTURE.resize((8, 6))))))
put("jpeg_dri_zero.jpg", after_start(jpeg(), segment(0xDD, b"\0\0")))
put("jpeg_two_exif.jpg", after_start(jpeg(), segment(0xE1, b"Exif\0\0" + exif(6, False)), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")))
put("jpeg_xmp_then_exif.jpg", after_start(jpeg(), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), segment(0xE1, b"Exif\0\0" + exif(6, True))))
for orientation in range(1, 9):
    for big in [False, True]:
        put(f"jpeg_exif_{'mm' if big else 'ii'}_{orientation}.jpg", after_start(jpeg(quality=60), segment(0xE1, b"Exif\0\0" + exif(orientation, big))))
as_stored = mean(jpeg(quality=60))
for name, payload in {
    "zero": exif(0, False), "nine": exif(9, True), "cut": exif(6, True)[:14], "no_order": b"XX" + exif(6, True)[2:],
    "far": b"II*\0\xff\xff\xff\x7f", "empty": b"", "entries": b"II*\0\x08\0\0\0\xff\xff" + exif(6, False)[10:22],
}.items():
    put(f"jpeg_exif_bad_{name}.jpg", after_start(jpeg(quality=60), segment(0xE1, b"Exif\0\0" + payload)), "warn", "bad_exif", as_stored)
whole = jpeg()
for share in [0.02, 0.3, 0.62, 0.9, 0.97]:
    cut(f"cut_{int(share * 100)}.jpg", whole, share)
cut("cut_grey_50.jpg", jpeg(GREY), 0.8)
cut("cut_cmyk_50.jpg", jpeg(CMYK), 0.8)
cut("cut_restarts.jpg", jpeg(restart_marker_rows=1), 0.85)
put("jpeg_no_end.jpg", whole[:-2], "warn", "minor_damage", mean(whole))
put("jpeg_half_end.jpg", whole[:-1], "warn", "minor_damage", mean(whole))
put("jpeg_then_text.jpg", whole + b"<html>", "warn", "trailing_data")
put("jpeg_then_jpeg.jpg", whole + jpeg(GREY), "warn", "trailing_data")
put("jpeg_then_zeros.jpg", whole + bytes(500), "warn", "trailing_data")
put("jpeg_zero_width.jpg", whole.replace(struct.pack(">HH", H, W), struct.pack(">HH", H, 0), 1), "bad", "corrupt")
put("jpeg_zero_height.jpg", whole.replace(struct.pack(">HH", H, W), struct.pack(">HH", 0, W), 1), "bad", ("corrupt", "unsupported_feature"))
put("jpeg_bomb.jpg", whole.replace(struct.pack(">HH", H, W), struct.pack(">HH", 65000, 65000), 1), "bad", "too_large")
cut_then_end = whole[: len(whole) * 7 // 10] + b"\xff\xd9"
put("jpeg_end_too_early.jpg", cut_then_end, "bad", "truncated")
put("jpeg_taller.jpg", whole.replace(struct.pack(">HH", H, W), struct.pack(">HH", 4 * H, W), 1), "bad", ("corrupt", "truncated"))
put("jpeg_12bit.jpg", whole.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c", 1), "bad", "unsupported_feature")
put("jpeg_no_quantisation.jpg", without(whole, 0xDB), "bad", "corrupt")
put("jpeg_no_huffman.jpg", without(whole, 0xC4), "bad", "unsupported_feature")
put("jpeg_only_start.jpg", whole[:2], "bad", ("not_an_image", "truncated"))
put("jpeg_only_headers.jpg", whole[: whole.index(b"\xff\xda")], "bad", "truncated")
mpo = io.BytesIO()
PICTURE.save(mpo, "MPO", save_all=True, append_images=[PICTURE.transpose(0)])
put("mpo.jpg", mpo.getvalue())
put("jpeg_named.png", whole, "warn", "name_ending")


# --- PNG --------------------------------------------------------------------------------------------------------
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(samples, depth, colour, interlaced=False, extra=b"", end=b""):
    """`samples`: [H, W, channels] of `depth` bits."""
    height, width, _ = samples.shape
    raw = b""
    for x0, y0, dx, dy in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        part = samples[y0::dy, x0::dx]
        for row in part if part.size else []:
            bits = "".join(format(int(v), f"0{depth}b") for v in row.ravel())
            bits += "0" * (-len(bits) % 8)
            raw += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(raw)) + end + chunk(b"IEND", b"")


grey = np.asarray(GREY)[:, :, None].astype(int)
palette = bytes(v for i in range(256) for v in (i, 255 - i, i * 7 % 256))
colours = np.frombuffer(palette, np.uint8).reshape(256, 3)
for interlaced in [False, True]:
    i = "_interlaced" if interlaced else ""
    for depth in [1, 2, 4, 8, 16]:
        top = 2**depth - 1
        samples = (grey * top + 127) // 255
        levels = samples / top * 255
        put(f"png_grey_{depth}{i}.png", png(samples, depth, 0, interlaced), colour=[round(float(levels.mean()), 3)] * 3)
        if depth <= 8:
            plte = chunk(b"PLTE", palette[: 3 * 2**depth])
            expected = [round(float(v), 3) for v in colours[samples[:, :, 0]].reshape(-1, 3).mean(0)]
            put(f"png_palette_{depth}{i}.png", png(samples, depth, 3, interlaced, plte), colour=expected)
            put(f"png_palette_{depth}_trns{i}.png", png(samples, depth, 3, interlaced, plte + chunk(b"tRNS", b"\0\x80")), colour=expected)
    for channels, colour in [(3, 2), (2, 4), (4, 6)]:
        for depth in [8, 16]:
            samples = {2: RGB, 4: np.dstack([grey, grey // 2]), 6: np.dstack([RGB, grey])}[colour].astype(int)
            expected = [round(float(v), 3) for v in samples[:, :, : (1 if colour == 4 else 3)].reshape(-1, 1 if colour == 4 else 3).mean(0)]
            samples = samples * (257 if depth == 16 else 1)
            put(f"png_colour{colour}_{depth}{i}.png", png(samples, depth, colour, interlaced), colour=expected * (3 if colour == 4 else 1))
rgb = png(RGB.astype(int), 8, 2)
put("png_trns_grey.png", png(grey, 8, 0, extra=chunk(b"tRNS", b"\0\x80")))
put("png_trns_rgb.png", png(RGB.astype(int), 8, 2, extra=chunk(b"tRNS", b"\0\1\0\2\0\3")))
put("png_gamma.png", png(RGB.astype(int), 8, 2, extra=chunk(b"gAMA", struct.pack(">I", 100000))))
put("png_exif_before.png", png(RGB.astype(int), 8, 2, extra=chunk(b"eXIf", exif(6, True))))
put("png_exif_behind.png", png(RGB.astype(int), 8, 2, end=chunk(b"eXIf", exif(8, False))))
put("png_exif_bad.png", png(RGB.astype(int), 8, 2, extra=chunk(b"eXIf", b"II*")), "warn", "bad_exif", mean(rgb))
put("png_palette_too_short.png", png(grey, 8, 3, extra=chunk(b"PLTE", palette[:30])), colour=False)
put("png_no_palette.png", png(grey, 8, 3), "bad", "corrupt")
put("png_depth_3.png", png(grey // 32, 3, 0), "bad", "corrupt")
put("png_no_idat.png", rgb[:33] + chunk(b"IEND", b""), "bad", ("corrupt", "truncated"))
put("png_bomb.png", rgb[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 50000, 50000, 16, 6, 0, 0, 0)) + rgb[33:], "bad", "too_large")
put("png_taller.png", rgb[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", W, 2 * H, 8, 2, 0, 0, 0)) + rgb[33:], "bad", ("corrupt", "truncated"))
put("png_wrong_crc_ihdr.png", rgb[:29] + b"\0\0\0\0" + rgb[33:], "bad", "corrupt")
put("png_then_text.png", rgb + b"more", "warn", "trailing_data")
put("png_text_mode.png", rgb.replace(b"\r\n", b"\n"), "bad", "corrupt")
for share in [0.03, 0.4, 0.9]:
    cut(f"cut_{int(share * 100)}.png", rgb, share)
cut("cut_interlaced.png", png(RGB.astype(int), 8, 2, True), 0.5)
apng = io.BytesIO()
PICTURE.save(apng, "PNG", save_all=True, append_images=[PICTURE.transpose(0), PICTURE.transpose(1)])
put("apng.png", apng.getvalue(), "warn", "first_of_several")
cut("cut_apng_second_frame.png", apng.getvalue(), 0.85, "warn", ("first_of_several", "minor_damage", "truncated"))

# --- GIF --------------------------------------------------------------------------------------------------------
gif = save(PICTURE, "GIF")
put("gif.gif", gif)
put("gif_interlaced.gif", save(PICTURE, "GIF", interlace=1))
put("gif_87a.gif", b"GIF87a" + gif[6:])
animated = io.BytesIO()
PICTURE.save(animated, "GIF", save_all=True, append_images=[PICTURE.transpose(0), GREY], duration=50)
put("gif_animated.gif", animated.getvalue(), "warn", "first_of_several")


def made_gif(width, height, left, top, local, transparent=None, background=0):
    """4 colours; a frame of W x H at `left`, `top`, of screen `width` x `height`."""
    table = bytes([10, 20, 30, 200, 60, 40, 30, 180, 90, 240, 240, 20])
    indices = (np.asarray(GREY) // 64).astype(int)
    indexed = Image.fromarray(indices.astype(np.uint8), "P")
    indexed.putpalette(table)
    # The compressed part of a file that Pillow writes of the same indices.
    data = save(indexed, "GIF", optimize=False, interlace=0)
    at = data.index(b"\x2c")
    flags = data[at + 9]
    start = at + 10 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    out = b"GIF89a" + struct.pack("<HHBBB", width, height, 0 if local else 0x81, background, 0) + (b"" if local else table)
    if transparent is not None:
        out += b"\x21\xf9\x04\x01\0\0" + bytes([transparent]) + b"\0"
    return out + b"\x2c" + struct.pack("<HHHHB", left, top, W, H, 0x81 if local else 0) + (table if local else b"") + data[start:]


put("gif_local_palette.gif", made_gif(W, H, 0, 0, True))
put("gif_offset_frame.gif", made_gif(W + 9, H + 7, 5, 3, False))
put("gif_offset_frame_local.gif", made_gif(W + 9, H + 7, 5, 3, True))
put("gif_transparent.gif", made_gif(W, H, 0, 0, False, transparent=2))
put("gif_transparent_offset.gif", made_gif(W + 4, H + 4, 2, 2, False, transparent=1))
# Pillow makes the picture larger, ours cuts the frame.
put("gif_frame_outside.gif", made_gif(W, H, 30, 20, False), colour=False)
put("gif_bomb.gif", gif[:6] + struct.pack("<HH", 65535, 65535) + gif[10:], "bad", "too_large")
put("gif_zero.gif", gif[:6] + bytes(4) + gif[10:], "bad", "corrupt")
put("gif_then_text.gif", gif + b"more", "warn", "trailing_data")
put("gif_no_trailer.gif", gif[:-1], "warn", "minor_damage", mean(gif))
for share in [0.01, 0.3, 0.95]:
    cut(f"cut_{int(share * 100)}.gif", gif, share)
cut("cut_animated_second_frame.gif", animated.getvalue(), 0.9, "warn", ("first_of_several", "minor_damage"))

# --- WebP -------------------------------------------------------------------------------------------------------
for lossless in [False, True]:
    kind = "lossless" if lossless else "lossy"
    webp = save(PICTURE, "WEBP", lossless=lossless, quality=80)
    put(f"webp_{kind}.webp", webp)
    alpha = PICTURE.copy()
    alpha.putalpha(GREY)
    put(f"webp_{kind}_alpha.webp", save(alpha, "WEBP", lossless=lossless, quality=80, exact=True))
    put(f"webp_{kind}_exif.webp", save(PICTURE, "WEBP", lossless=lossless, exif=exif(6, True)))
    put(f"webp_{kind}_then_text.webp", webp + b"more text", "warn", "trailing_data")
    for share in [0.3, 0.5, 0.95]:
        cut(f"cut_{int(share * 100)}_{kind}.webp", webp, share)
    out = io.BytesIO()
    frames = [PICTURE.transpose(0), PICTURE.transpose(1)]
    PICTURE.save(out, "WEBP", save_all=True, append_images=frames, duration=50, lossless=lossless)
    put(f"webp_{kind}_animated.webp", out.getvalue(), "warn", "first_of_several")
    cut(f"cut_animated_{kind}.webp", out.getvalue(), 0.9, "warn", ("first_of_several", "minor_damage", "truncated"))


def riff(*chunks):
    body = b"WEBP" + b"".join(k + struct.pack("<I", len(d)) + d + b"\0" * (len(d) % 2) for k, d in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def u24(value):
    return struct.pack("<I", value)[:3]


def anim(width, height, left, top, background=b"\x20\x40\x60\xff"):
    frame = save(PICTURE, "WEBP", lossless=True)[12:]
    anmf = u24(left // 2) + u24(top // 2) + u24(W - 1) + u24(H - 1) + u24(50) + b"\0" + frame
    return riff((b"VP8X", b"\x02\0\0\0" + u24(width - 1) + u24(height - 1)), (b"ANIM", background + b"\0\0"), (b"ANMF", anmf), (b"ANMF", anmf))


put("webp_animated_offset.webp", anim(W + 10, H + 8, 4, 6), "warn", "first_of_several")
put("webp_animated_outside.webp", anim(W, H, 20, 20), "bad", "corrupt")
put("webp_bomb.webp", riff((b"VP8X", b"\0\0\0\0" + u24(16383) + u24(16383)), (b"VP8L", save(PICTURE, "WEBP", lossless=True)[20:])), "bad", ("too_large", "corrupt"))
put("webp_only_header.webp", b"RIFF\x04\0\0\0WEBP", "bad", ("corrupt", "truncated"))

# --- BMP --------------------------------------------------------------------------------------------------------
bmp = save(PICTURE, "BMP")
put("bmp_24.bmp", bmp)
put("bmp_8.bmp", save(PICTURE.quantize(200), "BMP"))
put("bmp_1.bmp", save(PICTURE.convert("1"), "BMP"))
put("bmp_grey.bmp", save(GREY, "BMP"))
put("bmp_32.bmp", save(alpha, "BMP"), colour=mean(bmp))
put("bmp_os2.bmp", b"BM" + struct.pack("<IHHI", 26 + len(bmp) - 54, 0, 0, 26) + struct.pack("<IHHHH", 12, W, H, 1, 24) + bmp[54:], colour=mean(bmp))
rle = b"".join(bytes([W, (row * 3) % 256, 0, 0]) for row in range(H)) + b"\0\1"
put("bmp_rle8.bmp", b"BM" + struct.pack("<IHHI", 54 + 1024 + len(rle), 0, 0, 54 + 1024) + struct.pack("<IiiHHIIiiII", 40, W, H, 1, 8, 1, len(rle), 0, 0, 256, 0) + b"".join(bytes([i, i, i, 0]) for i in range(256)) + rle)
rgb565 = ((RGB[::-1, :, 0].astype(int) >> 3 << 11) | (RGB[::-1, :, 1].astype(int) >> 2 << 5) | (RGB[::-1, :, 2].astype(int) >> 3)).astype("<u2")
rows = b"".join(row.tobytes() + b"\0" * (-2 * W % 4) for row in rgb565)
put("bmp_565.bmp", b"BM" + struct.pack("<IHHI", 66 + len(rows), 0, 0, 66) + struct.pack("<IiiHHIIiiII", 40, W, H, 1, 16, 3, len(rows), 0, 0, 0, 0) + struct.pack("<III", 0xF800, 0x7E0, 0x1F) + rows)
put("bmp_bomb.bmp", bmp[:18] + struct.pack("<ii", 50000, 50000) + bmp[26:], "bad", "too_large")
put("bmp_zero.bmp", bmp[:18] + bytes(8) + bmp[26:], "bad", "corrupt")
put("bmp_then_text.bmp", bmp + b"more", "warn", "trailing_data")
for share in [0.005, 0.4, 0.98]:
    cut(f"cut_{int(share * 1000)}.bmp", bmp, share, reasons=("truncated", "not_an_image"))

# --- TIFF -------------------------------------------------------------------------------------------------------
tiff = save(PICTURE, "TIFF")
for compression in ["tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg"]:
    put(f"tiff_{compression}.tif", save(PICTURE, "TIFF", compression=compression))
put("tiff.tif", tiff)
put("tiff_grey.tif", save(GREY, "TIFF"))
put("tiff_1bit.tif", save(PICTURE.convert("1"), "TIFF"))
put("tiff_grey_16.tif", save(Image.fromarray((np.asarray(GREY).astype(np.uint16) * 257)), "TIFF"))
put("tiff_rgba.tif", save(alpha, "TIFF"))
put("tiff_cmyk.tif", save(CMYK, "TIFF"))
put("tiff_palette.tif", save(PICTURE.quantize(100), "TIFF"), "bad", "unsupported_feature")
put("tiff_exif_6.tif", save(PICTURE, "TIFF", tiffinfo={274: 6}))
put("tiff_predictor.tif", save(PICTURE, "TIFF", compression="tiff_lzw", tiffinfo={317: 2}))
pages = io.BytesIO()
PICTURE.save(pages, "TIFF", save_all=True, append_images=[GREY])
put("tiff_pages.tif", pages.getvalue(), "warn", "first_of_several")
put("tiff_many_values.tif", tiff[:8] + tiff[8:].replace(struct.pack("<HHI", 273, 4, 1), struct.pack("<HHI", 273, 4, 0x7FFFFFF), 1), "bad", ("truncated", "corrupt"))
for share in [0.004, 0.5, 0.9]:
    cut(f"cut_{int(share * 1000)}.tif", save(PICTURE, "TIFF", compression="tiff_lzw"), share, reasons=("truncated", "corrupt", "not_an_image"))

# --- other files ------------------------------------------------------------------------------------------------
for name, data, reason in [
    ("empty.jpg", b"", "empty"), ("zeros.jpg", bytes(300), "not_an_image"), ("text.jpg", b"not a photo\n", "not_an_image"),
    ("xml_error.jpg", b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "not_an_image"),
    ("page.jpg", b"\r\n<!DOCTYPE HTML PUBLIC><HTML><body>404</body>", "html_page"), ("page_utf16.jpg", "<html><body>no</body></html>".encode("utf-16"), ("html_page", "not_an_image")),
    ("page_comment.jpg", b"<!-- x --><html lang='en'>", "html_page"), ("svg_dtd.svg", b"<?xml version='1.0'?><!DOCTYPE svg PUBLIC ''><svg/>", "svg"),
    ("svgz.svg", b"\x1f\x8b\x08\0\0\0\0\0\0\3", "not_an_image"), ("pdf.jpg", b"%PDF-1.4\n%", "pdf"),
    ("heic.jpg", b"\0\0\0\x1cftypheix\0\0\0\0mif1heixmiaf", "heic"), ("heif_sequence.heic", b"\0\0\0\x18ftypmsf1\0\0\0\0hevcmsf1", "heic"),
    ("avif_sequence.avif", b"\0\0\0\x18ftypavis\0\0\0\0msf1avis", "avif"), ("jxl.jxl", b"\0\0\0\x0cJXL \r\n\x87\n", "unsupported_format"),
    ("jxl_bare.jpg", b"\xff\x0a\xf8\x3f", "unsupported_format"), ("psd.psd", b"8BPS\0\1", "unsupported_format"), ("jp2.jp2", b"\0\0\0\x0cjP  \r\n\x87\n", "unsupported_format"),
    ("ico.ico", b"\0\0\1\0\1\0\x10\x10", "unsupported_format"), ("cr2.cr2", b"II*\0\x10\0\0\0CR\2\0", "unsupported_format"), ("cr3.cr3", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "unsupported_format"),
    ("raf.raf", b"FUJIFILMCCD-RAW 0201", "unsupported_format"), ("orf.orf", b"IIRO\x08\0\0\0", "unsupported_format"), ("rw2.rw2", b"IIU\0\x18\0\0\0", "unsupported_format"),
    ("exr.exr", b"\x76\x2f\x31\x01", "unsupported_format"), ("pnm.ppm", b"P6\n2 2\n255\n" + bytes(12), ("unsupported_format", "not_an_image")), ("mp4.jpg", b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "not_an_image"),
    ("avi.jpg", b"RIFF\0\0\0\0AVI LIST", "not_an_image"), ("zip.jpg", b"PK\3\4\x14\0", "not_an_image"), ("bigtiff.tif", b"II+\0\x08\0\0\0", ("unsupported_format", "not_an_image")),
]:
    put(name, data, "bad", reason)

(HERE / "expected.json").write_text(json.dumps(EXPECTED, indent=1, sort_keys=True) + "\n")
print(len(EXPECTED), sum(p.stat().st_size for p in HERE.iterdir()))
