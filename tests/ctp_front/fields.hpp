// From a frame's members into CTP's structs, and back. Text leaves as GBK, cut where the buffer ends, be it within a character, as the
// vendor's libraries do; what comes in as GBK goes to the counter as UTF-8.
#pragma once

#include <cfloat>
#include <string>
#include <string_view>

#include "msgpack.hpp"

std::string to_gbk(std::string_view utf8);
std::string to_utf8(std::string_view gbk);

template <size_t size>
void put(char (&to)[size], const msgpack::Value &from) {
    const std::string text = to_gbk(from.text);
    const size_t length = text.size() < size ? text.size() : size - 1;
    std::memcpy(to, text.data(), length);
    to[length] = 0;
}
inline void put(char &to, const msgpack::Value &from) { to = from.text.empty() ? 0 : from.text[0]; }
inline void put(int &to, const msgpack::Value &from) { to = static_cast<int>(from.integer); }
inline void put(double &to, const msgpack::Value &from) { to = from.number(); }

// A price that is not there: 0 in the frames, the largest double on CTP's side.
inline void put_price(double &to, const msgpack::Value &from) { to = from.number() == 0 ? DBL_MAX : from.number(); }

// The clocks of a login's answer, from `YYYY-MM-DDTHH:MM:SS.mmm`.
template <class Login>
void put_login_times(Login &to, const msgpack::Value &now) {
    msgpack::Value time;
    if (now.text.size() >= 19) time.text = now.text.substr(11, 8);
    put(to.LoginTime, time);
    put(to.SHFETime, time);
    put(to.DCETime, time);
    put(to.CZCETime, time);
    put(to.FFEXTime, time);
    put(to.INETime, time);
}

template <size_t size>
std::string text_of(const char (&from)[size]) {
    return to_utf8(std::string_view(from, strnlen(from, size)));
}
inline std::string text_of(char from) { return from ? std::string(1, from) : std::string(); }
inline int text_of(int from) { return from; }
inline double text_of(double from) { return from; }

// EACH(m, a, b, c …) is m(a) m(b) m(c) …
#define EACH_PARENTHESES ()
#define EACH_EXPAND(...) EACH_EXPAND3(EACH_EXPAND3(EACH_EXPAND3(EACH_EXPAND3(__VA_ARGS__))))
#define EACH_EXPAND3(...) EACH_EXPAND2(EACH_EXPAND2(EACH_EXPAND2(EACH_EXPAND2(__VA_ARGS__))))
#define EACH_EXPAND2(...) EACH_EXPAND1(EACH_EXPAND1(EACH_EXPAND1(EACH_EXPAND1(__VA_ARGS__))))
#define EACH_EXPAND1(...) __VA_ARGS__
#define EACH(macro, ...) __VA_OPT__(EACH_EXPAND(EACH_NEXT(macro, __VA_ARGS__)))
#define EACH_NEXT(macro, first, ...) macro(first) __VA_OPT__(EACH_AGAIN EACH_PARENTHESES(macro, __VA_ARGS__))
#define EACH_AGAIN() EACH_NEXT

// Within a function that has `to` (a struct of CTP's) and `from` (a map): copy members of the same name.
#define FILL_ONE(name) put(to.name, from[#name]);
#define FILL(...) EACH(FILL_ONE, __VA_ARGS__)
#define FILL_PRICE_ONE(name) put_price(to.name, from[#name]);
#define FILL_PRICES(...) EACH(FILL_PRICE_ONE, __VA_ARGS__)
#define ABSENT_ONE(name) to.name = DBL_MAX;
#define ABSENT(...) EACH(ABSENT_ONE, __VA_ARGS__)

// Within a function that has `frame` and `from` (a struct of CTP's): the other way round.
#define WRITE_ONE(name) frame.set(#name, text_of(from.name));
#define WRITE(...) EACH(WRITE_ONE, __VA_ARGS__)
