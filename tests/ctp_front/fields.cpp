#include "fields.hpp"

#include <iconv.h>

#include <stdexcept>

namespace {

std::string converted(std::string_view text, const char *from, const char *to) {
    bool plain = true;
    for (const char c : text) plain = plain && static_cast<unsigned char>(c) < 0x80;
    if (plain) return std::string(text);
    const iconv_t descriptor = iconv_open(to, from);
    if (descriptor == reinterpret_cast<iconv_t>(-1)) throw std::runtime_error("iconv does not know GB18030");
    std::string result(text.size() * 4, 0);
    char *in = const_cast<char *>(text.data()), *out = result.data();
    size_t in_left = text.size(), out_left = result.size();
    iconv(descriptor, &in, &in_left, &out, &out_left);  // what cannot be converted ends the text
    iconv_close(descriptor);
    result.resize(result.size() - out_left);
    return result;
}

}  // namespace

std::string to_gbk(std::string_view utf8) { return converted(utf8, "UTF-8", "GB18030"); }
std::string to_utf8(std::string_view gbk) { return converted(gbk, "GB18030", "UTF-8"); }
