"""Makes the small pictures of tests/golden/images, with Pillow and, for what Pillow does not write,
by hand. Also prints the expected pixels of a resize, which training_image_test.cpp holds.

    python3 tests/golden/make_images.py
"""

import pathlib
import struct
import zlib

from PIL import Image

out = pathlib.Path(__file__).parent / "images"
out.mkdir(exist_ok=True)


def colour(x, y):
    return (40 + 8 * x, 200 - 6 * y, 90 + 3 * x + 2 * y)


def picture(width=20, height=12):
    image = Image.new("RGB", (width, height))
    image.putdata([colour(x, y) for y in range(height) for x in range(width)])
    return image


def png(name, width, height, depth, colour_type, rows):
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    raw = b"".join(b"\0" + row for row in rows)
    (out / name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
                             + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


picture().save(out / "rgb.jpg", quality=95, subsampling=0)
picture().save(out / "progressive.jpg", quality=95, subsampling=2, progressive=True)
picture().convert("L").save(out / "grey.jpg", quality=95)
picture().convert("CMYK").save(out / "cmyk.jpg", quality=95)
picture().save(out / "rgb.png")
picture().quantize(16, dither=Image.Dither.NONE).save(out / "palette.png")

# Red of four opacities on white: 255 * alpha is blended with 255 * (255 - alpha).
image = Image.new("RGBA", (4, 1))
image.putdata([(200, 0, 0, a) for a in (0, 85, 170, 255)])
image.save(out / "rgba.png")
image = Image.new("LA", (4, 1))
image.putdata([(0, a) for a in (0, 85, 170, 255)])
image.save(out / "grey_alpha.png")

# 16 bits: the lower byte must make no difference.
png("rgb16.png", 3, 2, 16, 2,
    [struct.pack(">9H", *[256 * (10 * (3 * y + x) + c) + 255 for x in range(3) for c in range(3)])
     for y in range(2)])
png("grey16.png", 3, 1, 16, 0, [struct.pack(">3H", 0x0000, 0x80FF, 0xFF00)])

frames = [Image.new("RGB", (3, 2), (10, 20, 30)), Image.new("RGB", (3, 2), (200, 100, 50))]
frames[0].save(out / "animated.png", save_all=True, append_images=frames[1:])

# Not of a supported kind, under a supported name.
Image.new("RGB", (2, 2)).save(out / "gif.jpg", format="GIF")
Image.new("RGB", (2, 2)).save(out / "webp.jpg", format="WEBP")

noise = Image.new("RGB", (7, 5))
noise.putdata([((37 * i) % 256, (91 * i + 13) % 256, (i * i * 5) % 256) for i in range(35)])
for size, box in (((3, 2), None), ((9, 8), None), ((4, 3), (0.5, 1.25, 6.0, 4.75))):
    small = noise.resize(size, Image.Resampling.BILINEAR, box=box)
    print(size, box, list(small.tobytes()))
