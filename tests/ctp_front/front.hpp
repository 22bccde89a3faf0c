// One connection to the counter, kept alive as the vendor's libraries keep theirs to a front: a thread of its own connects, reads and
// calls back, and connects again when the connection was lost.
//
// Environment: CTP_FRONT_MAP names a file with lines `<front address> <socket path>`, read at each attempt; a front that is not in it
// cannot be reached. CTP_FRONT_RETRY_MS (500): pause between two attempts. CTP_FRONT_QUERIES (1): queries a second and at once
// in flight, 0 for no limit.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "msgpack.hpp"

class Front {
  public:
    static constexpr int NETWORK = -1, IN_FLIGHT = -2, TOO_FAST = -3;  // what a Req… returns when nothing was sent
    static constexpr int READ_FAILED = 0x1001, WRITE_FAILED = 0x1002;

    virtual ~Front() = default;

    void register_front(const char *address);
    void start();
    void join();
    void stop();  // ends the thread; no callback comes after it

    // Hand a request to the counter: 0, or why it was not sent. `kind`: order, cancel, query or other.
    int send(const msgpack::Frame &frame, const std::string &kind);

  protected:
    // In the front's thread.
    virtual void connected() = 0;
    virtual void disconnected(int reason) = 0;
    virtual void heard(const msgpack::Value &frame) = 0;

    void query_answered();
    void disconnect(int reason);  // from within heard()

  private:
    void run();
    int connect_once();
    void serve(int socket);
    bool take(int socket, std::string &buffer);
    int held_back(const std::string &kind);
    int forced(const std::string &kind);
    void control(const msgpack::Value &frame);

    std::vector<std::string> fronts_;
    std::thread thread_;
    std::mutex mutex_;  // of all below
    std::condition_variable ended_;
    bool started_ = false, stopping_ = false, finished_ = false;
    int socket_ = -1, reason_ = 0;
    bool query_in_flight_ = false;
    std::deque<std::chrono::steady_clock::time_point> queries_;  // when the last were sent
    std::map<std::string, std::deque<int>> forced_;              // what the next requests of a kind shall return
};
