#include "training/data/jpeg_scaled.h"

#ifdef LIMULUS_JPEG

#include <fmt/format.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs FILE and does not ask for it
//
#include <jerror.h>
#include <jpeglib.h>

#include "core/error.h"

namespace limulus {
namespace {

// libjpeg reports an error by a call that must not return; from C one leaves with longjmp.
struct Decoder {
  Decoder() { jpeg.err = jpeg_std_error(&errors); }
  ~Decoder() { jpeg_destroy_decompress(&jpeg); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  std::jmp_buf failed;
  char message[JMSG_LENGTH_MAX] = "";
};

[[noreturn]] void fail(j_common_ptr jpeg) {
  Decoder* const d = static_cast<Decoder*>(jpeg->client_data);
  jpeg->err->format_message(jpeg, d->message);
  std::longjmp(d->failed, 1);
}

// What libjpeg calls a warning and paints over: here the picture counts as damaged.
void note(j_common_ptr jpeg, int level) {
  if (level >= 0) return;  // not even a warning
  const int code = jpeg->err->msg_code;
  if (code == JWRN_HUFF_BAD_CODE || code == JWRN_HIT_MARKER || code == JWRN_JPEG_EOF ||
      code == JWRN_MUST_RESYNC)
    fail(jpeg);
}

// No object with a destructor may live in this function: longjmp would skip it.
enum class Outcome { decoded, not_for_us, failed };
Outcome decode(Decoder& d, std::span<const std::uint8_t> bytes, bool rgb, int short_side,
               Image* image) {
  if (setjmp(d.failed) != 0) return Outcome::failed;
  d.errors.error_exit = fail;
  d.errors.emit_message = note;
  jpeg_create_decompress(&d.jpeg);
  d.jpeg.client_data = &d;
  jpeg_mem_src(&d.jpeg, bytes.data(), static_cast<unsigned long>(bytes.size()));
  jpeg_read_header(&d.jpeg, TRUE);
  const JDIMENSION shorter = std::min(d.jpeg.image_width, d.jpeg.image_height);
  const JDIMENSION wanted = static_cast<JDIMENSION>(short_side);
  if (shorter <= wanted || d.jpeg.num_components == 4) return Outcome::not_for_us;

  if (d.jpeg.num_components == 3) d.jpeg.jpeg_color_space = rgb ? JCS_RGB : JCS_YCbCr;
  d.jpeg.out_color_space = JCS_RGB;
  d.jpeg.dct_method = JDCT_ISLOW;  // the exact one
  d.jpeg.scale_num = d.jpeg.scale_denom = 1;
  while (d.jpeg.scale_denom < 8 && shorter / (2 * d.jpeg.scale_denom) >= 2 * wanted)
    d.jpeg.scale_denom *= 2;
  jpeg_start_decompress(&d.jpeg);
  image->width = static_cast<int>(d.jpeg.output_width);
  image->height = static_cast<int>(d.jpeg.output_height);
  image->rgb.resize(std::size_t{3} * d.jpeg.output_width * d.jpeg.output_height);
  while (d.jpeg.output_scanline < d.jpeg.output_height) {
    JSAMPROW row = image->pixel(0, static_cast<int>(d.jpeg.output_scanline));
    jpeg_read_scanlines(&d.jpeg, &row, 1);
  }
  jpeg_finish_decompress(&d.jpeg);
  return Outcome::decoded;
}

}  // namespace

bool decodes_scaled() { return true; }

bool decode_jpeg_scaled(std::span<const std::uint8_t> bytes, const std::string& name,
                        const ImageFacts& facts, int short_side, Image* image) {
  if (short_side < 1) return false;
  Decoder d;
  const Outcome outcome = decode(d, bytes, facts.rgb, short_side, image);
  if (outcome == Outcome::failed)
    throw FileError(fmt::format("{}: cannot decode this JPEG: {}", name, d.message));
  return outcome == Outcome::decoded;
}

}  // namespace limulus

#else

namespace limulus {

bool decodes_scaled() { return false; }

bool decode_jpeg_scaled(std::span<const std::uint8_t>, const std::string&, const ImageFacts&, int,
                        Image*) {
  return false;
}

}  // namespace limulus

#endif
