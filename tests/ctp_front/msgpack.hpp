// MessagePack as far as the counter's frames use it: nil, booleans, integers, floats, text, bytes, arrays and maps with text keys.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace msgpack {

struct Value {
    enum class Type { nil, boolean, integer, real, text, list, map };

    Type type = Type::nil;
    int64_t integer = 0;  // booleans too
    double real = 0;
    std::string text;  // bytes too
    std::vector<Value> items;
    std::vector<std::pair<std::string, Value>> members;

    // A member of a map; nil where there is none.
    const Value &operator[](std::string_view name) const {
        static const Value *nothing = new Value;  // never destroyed: threads may still read at the process's end
        for (const auto &[key, value] : members)
            if (key == name) return value;
        return *nothing;
    }

    double number() const { return type == Type::real ? real : static_cast<double>(integer); }
};

class Reader {
  public:
    explicit Reader(std::string_view data) : data_(data) {}

    Value read() {
        const uint8_t tag = static_cast<uint8_t>(take(1)[0]);
        if (tag <= 0x7f) return integer(tag);
        if (tag >= 0xe0) return integer(static_cast<int8_t>(tag));
        if (tag <= 0x8f) return map(tag & 0x0f);
        if (tag <= 0x9f) return list(tag & 0x0f);
        if (tag <= 0xbf) return text(tag & 0x1f);
        switch (tag) {
            case 0xc0: return {};
            case 0xc2: case 0xc3: return boolean(tag == 0xc3);
            case 0xc4: case 0xd9: return text(big(1));
            case 0xc5: case 0xda: return text(big(2));
            case 0xc6: case 0xdb: return text(big(4));
            case 0xca: { const uint32_t bits = static_cast<uint32_t>(big(4)); float f; std::memcpy(&f, &bits, 4); return real(f); }
            case 0xcb: { const uint64_t bits = big(8); double d; std::memcpy(&d, &bits, 8); return real(d); }
            case 0xcc: return integer(static_cast<int64_t>(big(1)));
            case 0xcd: return integer(static_cast<int64_t>(big(2)));
            case 0xce: return integer(static_cast<int64_t>(big(4)));
            case 0xcf: return integer(static_cast<int64_t>(big(8)));
            case 0xd0: return integer(static_cast<int8_t>(big(1)));
            case 0xd1: return integer(static_cast<int16_t>(big(2)));
            case 0xd2: return integer(static_cast<int32_t>(big(4)));
            case 0xd3: return integer(static_cast<int64_t>(big(8)));
            case 0xdc: return list(big(2));
            case 0xdd: return list(big(4));
            case 0xde: return map(big(2));
            case 0xdf: return map(big(4));
            default: throw std::runtime_error("msgpack: a type that no frame has");
        }
    }

  private:
    std::string_view take(size_t count) {
        if (count > data_.size() - at_) throw std::runtime_error("msgpack: cut short");
        at_ += count;
        return data_.substr(at_ - count, count);
    }

    uint64_t big(size_t bytes) {
        uint64_t value = 0;
        for (const char byte : take(bytes)) value = value << 8 | static_cast<uint8_t>(byte);
        return value;
    }

    static Value integer(int64_t number) { Value v; v.type = Value::Type::integer; v.integer = number; return v; }
    static Value boolean(bool truth) { Value v; v.type = Value::Type::boolean; v.integer = truth; return v; }
    static Value real(double number) { Value v; v.type = Value::Type::real; v.real = number; return v; }
    Value text(size_t size) { Value v; v.type = Value::Type::text; v.text = take(size); return v; }

    Value list(size_t count) {
        Value v;
        v.type = Value::Type::list;
        for (size_t i = 0; i < count; ++i) v.items.push_back(read());
        return v;
    }

    Value map(size_t count) {
        Value v;
        v.type = Value::Type::map;
        for (size_t i = 0; i < count; ++i) {
            Value key = read();
            v.members.emplace_back(std::move(key.text), read());
        }
        return v;
    }

    std::string_view data_;
    size_t at_ = 0;
};

// A frame that is being written: a map whose first member is its kind.
class Frame {
  public:
    explicit Frame(std::string_view kind) { set("kind", kind); }

    Frame &set(std::string_view name, std::string_view value) { key(name); text(value); return *this; }
    Frame &set(std::string_view name, const char *value) { return set(name, std::string_view(value)); }
    Frame &set(std::string_view name, const std::string &value) { return set(name, std::string_view(value)); }
    Frame &set(std::string_view name, bool value) { key(name); body_ += value ? '\xc3' : '\xc2'; return *this; }
    Frame &set(std::string_view name, int value) { key(name); tagged('\xd2', static_cast<uint32_t>(value), 4); return *this; }
    Frame &set(std::string_view name, double value) {
        key(name);
        uint64_t bits;
        std::memcpy(&bits, &value, 8);
        tagged('\xcb', bits, 8);
        return *this;
    }
    Frame &set(std::string_view name, const std::vector<std::string> &values) {
        key(name);
        tagged('\xdd', values.size(), 4);
        for (const std::string &value : values) text(value);
        return *this;
    }

    std::string bytes() const {
        std::string whole("\xde", 1);
        whole += static_cast<char>(members_ >> 8);
        whole += static_cast<char>(members_);
        return whole + body_;
    }

  private:
    void key(std::string_view name) { ++members_; text(name); }
    void text(std::string_view value) { tagged('\xdb', value.size(), 4); body_ += value; }
    void tagged(char tag, uint64_t value, int bytes) {
        body_ += tag;
        for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) body_ += static_cast<char>(value >> shift);
    }

    std::string body_;
    uint16_t members_ = 0;
};

}  // namespace msgpack
