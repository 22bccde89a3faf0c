#include "front.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace {

constexpr size_t LARGEST_FRAME = 32 * 1024 * 1024;

int number_from(const char *variable, int otherwise) {
    const char *text = std::getenv(variable);
    return text && *text ? std::atoi(text) : otherwise;
}

std::string socket_path(const std::string &front) {
    const char *name = std::getenv("CTP_FRONT_MAP");
    std::ifstream file(name ? name : "");
    std::string line, address, path;
    while (std::getline(file, line)) {
        std::istringstream words(line);
        if (words >> address && std::getline(words >> std::ws, path) && address == front) return path;
    }
    return {};
}

int connect_to(const std::string &path) {
    sockaddr_un address{};
    if (path.empty() || path.size() >= sizeof(address.sun_path)) return -1;
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    if (::connect(socket, reinterpret_cast<sockaddr *>(&address), sizeof(address)) == 0) return socket;
    ::close(socket);
    return -1;
}

// A front that the map has not, over TCP as the vendor's library does it: only when CTP_FRONT_TCP asks for it.
int connect_over_tcp(const std::string &front) {
    const std::string here = "tcp://127.0.0.1:";
    if (!number_from("CTP_FRONT_TCP", 0) || front.compare(0, here.size(), here) != 0) return -1;
    sockaddr_in address{};
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(std::atoi(front.c_str() + here.size())));
    if (::connect(socket, reinterpret_cast<sockaddr *>(&address), sizeof(address)) == 0) return socket;
    ::close(socket);
    return -1;
}

}  // namespace

void Front::register_front(const char *address) { fronts_.emplace_back(address ? address : ""); }

void Front::start() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (started_) return;
    started_ = true;
    thread_ = std::thread(&Front::run, this);
}

void Front::join() {
    std::unique_lock<std::mutex> lock(mutex_);
    ended_.wait(lock, [this] { return !started_ || finished_; });
}

void Front::stop() {
    {
        std::lock_guard<std::mutex> lock(mutex_);
        stopping_ = true;
        if (socket_ >= 0) ::shutdown(socket_, SHUT_RDWR);
        ended_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
}

int Front::send(const msgpack::Frame &frame, const std::string &kind) {
    const std::string body = frame.bytes();
    std::string whole;
    for (int shift = 24; shift >= 0; shift -= 8) whole += static_cast<char>(body.size() >> shift);
    whole += body;
    std::lock_guard<std::mutex> lock(mutex_);
    if (const int code = held_back(kind)) return code;
    if (socket_ < 0) return NETWORK;
    for (size_t at = 0; at < whole.size();) {
        const ssize_t sent = ::send(socket_, whole.data() + at, whole.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) {
            reason_ = WRITE_FAILED;
            ::shutdown(socket_, SHUT_RDWR);
            return NETWORK;
        }
        at += static_cast<size_t>(sent);
    }
    if (kind == "query") {
        query_in_flight_ = true;
        queries_.push_back(std::chrono::steady_clock::now());
    }
    return 0;
}

// Why this request may not be sent now; 0 when it may. Under the lock.
int Front::held_back(const std::string &kind) {
    if (const int code = forced(kind)) return code;
    const int limit = number_from("CTP_FRONT_QUERIES", 1);
    if (kind != "query" || limit == 0) return 0;
    if (query_in_flight_) return IN_FLIGHT;
    const auto second_ago = std::chrono::steady_clock::now() - std::chrono::seconds(1);
    while (!queries_.empty() && queries_.front() < second_ago) queries_.pop_front();
    return queries_.size() >= static_cast<size_t>(limit) ? TOO_FAST : 0;
}

int Front::forced(const std::string &kind) {
    std::deque<int> &codes = forced_[kind];
    if (codes.empty()) return 0;
    const int code = codes.front();
    codes.pop_front();
    return code;
}

void Front::query_answered() {
    std::lock_guard<std::mutex> lock(mutex_);
    query_in_flight_ = false;
}

void Front::disconnect(int reason) {
    std::lock_guard<std::mutex> lock(mutex_);
    reason_ = reason;
    ::shutdown(socket_, SHUT_RDWR);
}

void Front::run() {
    const auto pause = std::chrono::milliseconds(number_from("CTP_FRONT_RETRY_MS", 500));
    std::unique_lock<std::mutex> lock(mutex_);
    while (!stopping_) {
        lock.unlock();
        const int socket = connect_once();
        lock.lock();
        if (socket >= 0 && !stopping_) {
            socket_ = socket;
            reason_ = READ_FAILED;
            lock.unlock();
            connected();
            serve(socket);
            lock.lock();
            socket_ = -1;
            query_in_flight_ = false;
            queries_.clear();
            const int reason = reason_;
            if (!stopping_) {
                lock.unlock();
                disconnected(reason);
                lock.lock();
            }
        }
        if (socket >= 0) ::close(socket);
        ended_.wait_for(lock, pause, [this] { return stopping_; });
    }
    finished_ = true;
    ended_.notify_all();
}

int Front::connect_once() {
    for (const std::string &front : fronts_) {
        const std::string path = socket_path(front);
        const int socket = path.empty() ? connect_over_tcp(front) : connect_to(path);
        if (socket >= 0) return socket;
    }
    return -1;
}

void Front::serve(int socket) {
    std::string buffer;
    while (take(socket, buffer)) {
        size_t at = 0;
        while (buffer.size() - at >= 4) {
            size_t size = 0;
            for (int i = 0; i < 4; ++i) size = size << 8 | static_cast<uint8_t>(buffer[at + i]);
            if (size > LARGEST_FRAME) return;
            if (buffer.size() - at - 4 < size) break;
            try {
                const msgpack::Value frame = msgpack::Reader(std::string_view(buffer).substr(at + 4, size)).read();
                if (frame["kind"].text == "FrontControl") control(frame);
                else heard(frame);
            } catch (const std::exception &error) {
                std::fprintf(stderr, "ctp_front: %s\n", error.what());
                return;
            }
            at += 4 + size;
        }
        buffer.erase(0, at);
    }
    return;
}

bool Front::take(int socket, std::string &buffer) {
    char chunk[65536];
    const ssize_t received = ::recv(socket, chunk, sizeof(chunk), 0);
    if (received <= 0) return false;
    buffer.append(chunk, static_cast<size_t>(received));
    return true;
}

// The tests' hand in here: end this connection with a reason, or have requests not be sent.
void Front::control(const msgpack::Value &frame) {
    if (frame["reason"].integer) return disconnect(static_cast<int>(frame["reason"].integer));
    std::lock_guard<std::mutex> lock(mutex_);
    std::deque<int> &codes = forced_[frame["request"].text];
    codes.insert(codes.end(), static_cast<size_t>(frame["count"].integer), static_cast<int>(frame["code"].integer));
}
