// The market front: see trader.cpp.

#pragma GCC visibility push(default)
#include "ThostFtdcMdApi.h"
#pragma GCC visibility pop
#include "fields.hpp"
#include "front.hpp"

using msgpack::Frame;
using msgpack::Value;

void fill(CThostFtdcDepthMarketDataField &to, const Value &from) {
    FILL(InstrumentID, TradingDay, ActionDay, UpdateTime, UpdateMillisec, Volume, Turnover, OpenInterest, PreOpenInterest,
         BidVolume1, AskVolume1, AveragePrice)
    FILL_PRICES(LastPrice, OpenPrice, HighestPrice, LowestPrice, PreSettlementPrice, PreClosePrice, UpperLimitPrice, LowerLimitPrice,
                BidPrice1, AskPrice1, SettlementPrice, ClosePrice)
    ABSENT(BidPrice2, AskPrice2, BidPrice3, AskPrice3, BidPrice4, AskPrice4, BidPrice5, AskPrice5, PreDelta, CurrDelta)
}

namespace {

class Market final : public CThostFtdcMdApi, private Front {
  public:
    void Release() override {
        Front::stop();
        delete this;
    }
    void Init() override { Front::start(); }
    int Join() override { Front::join(); return 0; }
    const char *GetTradingDay() override { return trading_day_; }
    void RegisterFront(char *address) override { Front::register_front(address); }
    void RegisterNameServer(char *) override {}
    void RegisterFensUserInfo(CThostFtdcFensUserInfoField *) override {}
    void RegisterSpi(CThostFtdcMdSpi *spi) override {
        std::lock_guard<std::recursive_mutex> lock(calling_);
        spi_ = spi;
    }
    int SubscribeMarketData(char *names[], int count) override { return subscribe(names, count, true); }
    int UnSubscribeMarketData(char *names[], int count) override { return subscribe(names, count, false); }
    int SubscribeForQuoteRsp(char **, int) override { return NETWORK; }
    int UnSubscribeForQuoteRsp(char **, int) override { return NETWORK; }
    int ReqUserLogin(CThostFtdcReqUserLoginField *request, int id) override {
        const auto &from = *request;
        Frame frame("ReqUserLogin");
        WRITE(BrokerID, UserID, Password)
        return Front::send(frame.set("front", "md").set("native", true).set("RequestID", id), "other");
    }
    int ReqUserLogout(CThostFtdcUserLogoutField *, int id) override {
        return Front::send(Frame("ReqUserLogout").set("RequestID", id), "other");
    }
    int ReqQryMulticastInstrument(CThostFtdcQryMulticastInstrumentField *, int) override { return NETWORK; }

  private:
    int subscribe(char *names[], int count, bool wanted) {
        Frame frame("ReqSubMarketData");
        frame.set("InstrumentIDs", std::vector<std::string>(names, names + count)).set("subscribe", wanted);
        return Front::send(frame, "subscribe");
    }

    void connected() override {
        std::lock_guard<std::recursive_mutex> lock(calling_);
        if (spi_) spi_->OnFrontConnected();
    }
    void disconnected(int reason) override {
        std::lock_guard<std::recursive_mutex> lock(calling_);
        if (spi_) spi_->OnFrontDisconnected(reason);
    }

    void heard(const Value &from) override {
        std::lock_guard<std::recursive_mutex> lock(calling_);
        const std::string &kind = from["kind"].text;
        // A front ends its sessions when the trading day does. A refused login has none.
        if (kind == "Heartbeat" && from["TradingDay"].text != trading_day_) Front::disconnect(READ_FAILED);
        if (!spi_) return;
        const int id = static_cast<int>(from["RequestID"].integer);
        CThostFtdcRspInfoField info{};
        put(info.ErrorID, from["ErrorID"]);
        put(info.ErrorMsg, from["ErrorMsg"]);
        if (kind == "RtnDepthMarketData") {
            for (const Value &tick : from["ticks"].items) {
                CThostFtdcDepthMarketDataField to{};
                fill(to, tick);
                spi_->OnRtnDepthMarketData(&to);
            }
        } else if (kind == "RspUserLogin") {
            CThostFtdcRspUserLoginField to{};
            FILL(TradingDay, BrokerID, UserID, FrontID, SessionID, MaxOrderRef)
            put_login_times(to, from["now"]);
            put(trading_day_, from["TradingDay"]);
            spi_->OnRspUserLogin(&to, &info, id, true);
        } else if (kind == "RspUserLogout") {
            CThostFtdcUserLogoutField to{};
            FILL(BrokerID, UserID)
            spi_->OnRspUserLogout(&to, &info, id, true);
        } else if (kind == "RspSubMarketData") {
            CThostFtdcSpecificInstrumentField to{};
            FILL(InstrumentID)
            spi_->OnRspSubMarketData(&to, &info, id, true);
        }
    }

    std::recursive_mutex calling_;  // of all below; held while the client is called back
    CThostFtdcMdSpi *spi_ = nullptr;
    TThostFtdcDateType trading_day_{};
};

}  // namespace

CThostFtdcMdApi *CThostFtdcMdApi::CreateFtdcMdApi(const char *, const bool, const bool) { return new Market; }
const char *CThostFtdcMdApi::GetApiVersion() { return "v6.6.7 stand-in of the tests"; }
