// The trading front: CTP's calls become the counter's frames (app/wire/frames.py), its frames CTP's callbacks. No rule of the counter
// lives here.

#include <cstdio>

#pragma GCC visibility push(default)
#include "ThostFtdcTraderApi.h"
#pragma GCC visibility pop
#include "fields.hpp"
#include "front.hpp"

namespace {

using msgpack::Frame;
using msgpack::Value;


CThostFtdcRspInfoField info_of(const Value &from) {
    CThostFtdcRspInfoField to{};
    FILL(ErrorID, ErrorMsg)
    return to;
}

template <class Order>  // CThostFtdcOrderField, and CThostFtdcErrorConditionalOrderField, which has the same members
void fill_order(Order &to, const Value &from) {
    FILL(BrokerID, InvestorID, InstrumentID, ExchangeID, OrderRef, FrontID, SessionID, Direction, CombOffsetFlag, OrderPriceType,
         TimeCondition, VolumeCondition, LimitPrice, VolumeTotalOriginal, VolumeTraded, VolumeTotal, OrderStatus, OrderSubmitStatus,
         OrderSysID, StatusMsg, TradingDay, InsertDate, InsertTime, CancelTime, TraderID, OrderLocalID)
    put(to.UserID, from["InvestorID"]);
    to.CombHedgeFlag[0] = THOST_FTDC_HF_Speculation;
    to.ContingentCondition = THOST_FTDC_CC_Immediately;
    to.ForceCloseReason = THOST_FTDC_FCC_NotForceClose;
    to.OrderType = THOST_FTDC_ORDT_Normal;
}

void fill(CThostFtdcOrderField &to, const Value &from) { fill_order(to, from); }

void fill(CThostFtdcInputOrderField &to, const Value &from) {
    FILL(BrokerID, InvestorID, InstrumentID, ExchangeID, OrderRef, Direction, CombOffsetFlag, OrderPriceType, TimeCondition,
         VolumeCondition, LimitPrice, VolumeTotalOriginal)
    put(to.UserID, from["InvestorID"]);
    to.CombHedgeFlag[0] = THOST_FTDC_HF_Speculation;
}

template <class Action>
void fill_action(Action &to, const Value &from) {
    FILL(InstrumentID, ExchangeID, OrderActionRef, OrderRef, FrontID, SessionID, OrderSysID)
    to.ActionFlag = THOST_FTDC_AF_Delete;
}

void fill(CThostFtdcTradeField &to, const Value &from) {
    FILL(BrokerID, InvestorID, InstrumentID, ExchangeID, OrderRef, OrderSysID, TradeID, Direction, OffsetFlag, Price, Volume, TradingDay,
         TradeDate, TradeTime, TraderID, OrderLocalID)
    put(to.UserID, from["InvestorID"]);
    to.HedgeFlag = THOST_FTDC_HF_Speculation;
}

void fill(CThostFtdcInstrumentField &to, const Value &from) {
    FILL(InstrumentID, ExchangeID, InstrumentName, ProductID, ProductClass, DeliveryYear, DeliveryMonth, MaxMarketOrderVolume,
         MinMarketOrderVolume, MaxLimitOrderVolume, MinLimitOrderVolume, VolumeMultiple, PriceTick, CreateDate, OpenDate, ExpireDate,
         StartDelivDate, EndDelivDate, InstLifePhase, IsTrading, PositionType, PositionDateType, LongMarginRatio, ShortMarginRatio,
         MaxMarginSideAlgorithm, CombinationType)
}

void fill(CThostFtdcInvestorPositionField &to, const Value &from) {
    FILL(BrokerID, InvestorID, InstrumentID, ExchangeID, PosiDirection, HedgeFlag, PositionDate, TradingDay, YdPosition, Position,
         TodayPosition, LongFrozen, ShortFrozen, OpenVolume, CloseVolume, PositionCost, OpenCost, UseMargin, PositionProfit)
}

void fill(CThostFtdcInvestorPositionDetailField &to, const Value &from) {
    FILL(BrokerID, InvestorID, InstrumentID, ExchangeID, Direction, OpenDate, TradeID, TradingDay, Volume, OpenPrice, LastSettlementPrice,
         CloseVolume)
    to.HedgeFlag = THOST_FTDC_HF_Speculation;
}

void fill(CThostFtdcTradingAccountField &to, const Value &from) {
    FILL(BrokerID, AccountID, TradingDay, PreBalance, Deposit, Withdraw, CurrMargin, FrozenMargin, FrozenCommission, Commission,
         CloseProfit, PositionProfit, Balance, Available, WithdrawQuota, CashIn, Mortgage, Credit, FrozenCash, DeliveryMargin, Reserve)
}

void fill(CThostFtdcInstrumentMarginRateField &to, const Value &from) {
    FILL(BrokerID, InvestorID, InstrumentID, ExchangeID, HedgeFlag, LongMarginRatioByMoney, LongMarginRatioByVolume,
         ShortMarginRatioByMoney, ShortMarginRatioByVolume)
}

void fill(CThostFtdcInstrumentCommissionRateField &to, const Value &from) {
    FILL(BrokerID, InvestorID, InstrumentID, ExchangeID, OpenRatioByMoney, OpenRatioByVolume, CloseRatioByMoney, CloseRatioByVolume,
         CloseTodayRatioByMoney, CloseTodayRatioByVolume)
}

void fill(CThostFtdcSettlementInfoConfirmField &to, const Value &from) { FILL(BrokerID, InvestorID, ConfirmDate, ConfirmTime) }

void fill(CThostFtdcSettlementInfoField &to, const Value &from) {
    FILL(TradingDay, SettlementID, BrokerID, InvestorID, SequenceNo)
    const std::string &content = from["Content"].text;  // GBK already, and a piece of it may end within a character
    content.copy(to.Content, sizeof(to.Content) - 1);
}

void fill(CThostFtdcInstrumentStatusField &to, const Value &from) {
    FILL(ExchangeID, InstrumentID, InstrumentStatus, TradingSegmentSN, EnterTime, EnterReason)
}

}  // namespace

void fill(CThostFtdcDepthMarketDataField &to, const msgpack::Value &from);  // market.cpp; no exchange, as at market fronts

namespace {

class Trader final : public CThostFtdcTraderApi, private Front {
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
    void RegisterSpi(CThostFtdcTraderSpi *spi) override {
        std::lock_guard<std::recursive_mutex> lock(calling_);
        spi_ = spi;
    }
    void SubscribePrivateTopic(THOST_TE_RESUME_TYPE how) override { replay_ = how != THOST_TERT_QUICK; }
    void SubscribePublicTopic(THOST_TE_RESUME_TYPE) override {}
    int RegisterUserSystemInfo(CThostFtdcUserSystemInfoField *) override { return 0; }
    int SubmitUserSystemInfo(CThostFtdcUserSystemInfoField *) override { return 0; }

    int ReqAuthenticate(CThostFtdcReqAuthenticateField *request, int id) override {
        const auto &from = *request;
        Frame frame("ReqAuthenticate");
        WRITE(BrokerID, UserID, AuthCode, AppID)
        return ask(frame, id);
    }
    int ReqUserLogin(CThostFtdcReqUserLoginField *request, int id) override {
        const auto &from = *request;
        Frame frame("ReqUserLogin");
        WRITE(BrokerID, UserID, Password)
        return ask(frame.set("front", "td").set("native", true).set("replay", replay_), id);
    }
    int ReqUserLogout(CThostFtdcUserLogoutField *, int id) override { Frame frame("ReqUserLogout"); return ask(frame, id); }
    int ReqUserPasswordUpdate(CThostFtdcUserPasswordUpdateField *request, int id) override {
        const auto &from = *request;
        Frame frame("ReqUserPasswordUpdate");
        WRITE(BrokerID, UserID, OldPassword, NewPassword)
        return ask(frame, id);
    }
    int ReqSettlementInfoConfirm(CThostFtdcSettlementInfoConfirmField *, int id) override {
        Frame frame("ReqSettlementInfoConfirm");
        return ask(frame, id);
    }
    int ReqOrderInsert(CThostFtdcInputOrderField *request, int id) override {
        const auto &from = *request;
        Frame frame("ReqOrderInsert");
        WRITE(InstrumentID, ExchangeID, OrderRef, Direction, CombOffsetFlag, CombHedgeFlag, OrderPriceType, TimeCondition, VolumeCondition,
              ContingentCondition, ForceCloseReason, LimitPrice, VolumeTotalOriginal)
        return ask(frame, id, "order");
    }
    int ReqOrderAction(CThostFtdcInputOrderActionField *request, int id) override {
        const auto &from = *request;
        Frame frame("ReqOrderAction");
        WRITE(InstrumentID, ExchangeID, OrderRef, OrderActionRef, FrontID, SessionID, OrderSysID, ActionFlag)
        return ask(frame, id, "cancel");
    }

    int ReqQryInstrument(CThostFtdcQryInstrumentField *request, int id) override { return query("instrument", id, *request); }
    int ReqQryDepthMarketData(CThostFtdcQryDepthMarketDataField *request, int id) override { return query("depth", id, *request); }
    int ReqQryOrder(CThostFtdcQryOrderField *request, int id) override { return query("order", id, *request); }
    int ReqQryTrade(CThostFtdcQryTradeField *request, int id) override { return query("trade", id, *request); }
    int ReqQryInvestorPosition(CThostFtdcQryInvestorPositionField *request, int id) override { return query("position", id, *request); }
    int ReqQryInvestorPositionDetail(CThostFtdcQryInvestorPositionDetailField *request, int id) override {
        return query("position_detail", id, *request);
    }
    int ReqQryInstrumentMarginRate(CThostFtdcQryInstrumentMarginRateField *request, int id) override {
        return query("margin_rate", id, *request);
    }
    int ReqQryInstrumentCommissionRate(CThostFtdcQryInstrumentCommissionRateField *request, int id) override {
        return query("commission_rate", id, *request);
    }
    int ReqQryTradingAccount(CThostFtdcQryTradingAccountField *, int id) override { return query("account", id); }
    int ReqQrySettlementInfoConfirm(CThostFtdcQrySettlementInfoConfirmField *, int id) override { return query("settlement_confirm", id); }
    int ReqQrySettlementInfo(CThostFtdcQrySettlementInfoField *request, int id) override {
        Frame frame("ReqQry");
        frame.set("what", "settlement").set("TradingDay", text_of(request->TradingDay));
        return ask(frame, id, "query");
    }

    // What the counter does not do, made of the header by build.py: said aloud and not sent.
#define NOT_SERVED(name, field)                                    \
    int name(field *, int) override {                              \
        std::fprintf(stderr, "ctp_front: " #name " is not served\n"); \
        return NETWORK;                                            \
    }
#include "not_served.inc"

  private:
    int ask(Frame &frame, int id, const char *kind = "other") { return Front::send(frame.set("RequestID", id), kind); }

    int query(const char *what, int id) {
        Frame frame("ReqQry");
        frame.set("what", what);
        return ask(frame, id, "query");
    }
    template <class Request>
    int query(const char *what, int id, const Request &from) {
        Frame frame("ReqQry");
        frame.set("what", what);
        WRITE(InstrumentID, ExchangeID)
        return ask(frame, id, "query");
    }

    // ── the counter's frames, in the front's thread ──

    void connected() override {
        std::lock_guard<std::recursive_mutex> lock(calling_);
        if (spi_) spi_->OnFrontConnected();
    }
    void disconnected(int reason) override {
        std::lock_guard<std::recursive_mutex> lock(calling_);
        logged_in_ = false;
        if (spi_) spi_->OnFrontDisconnected(reason);
    }

    void heard(const Value &frame) override {
        std::lock_guard<std::recursive_mutex> lock(calling_);
        const std::string &kind = frame["kind"].text;
        if (kind == "RspQry") {
            if (frame["last"].integer) Front::query_answered();
        } else if (kind == "Heartbeat") {
            // A front ends its sessions when the trading day does.
            if (logged_in_ && frame["TradingDay"].text != trading_day_) Front::disconnect(READ_FAILED);
        }
        if (!spi_) return;
        CThostFtdcRspInfoField info = info_of(frame);
        const int id = static_cast<int>(frame["RequestID"].integer);
        if (kind == "RtnOrder") return call(&CThostFtdcTraderSpi::OnRtnOrder, frame["order"]);
        if (kind == "RtnTrade") return call(&CThostFtdcTraderSpi::OnRtnTrade, frame["trade"]);
        if (kind == "RspQry") return answer(frame, info, id);
        if (kind == "RspUserLogin") return logged_in(frame, info, id);
        if (kind == "RtnInstrumentStatus") {
            for (const Value &row : frame["rows"].items) call(&CThostFtdcTraderSpi::OnRtnInstrumentStatus, row);
        } else if (kind == "RspOrderInsert") {
            CThostFtdcInputOrderField to{};
            fill(to, frame["order"]);
            to.RequestID = id;
            spi_->OnRspOrderInsert(&to, &info, id, true);
        } else if (kind == "ErrRtnOrderInsert") {
            CThostFtdcInputOrderField to{};
            fill(to, frame["order"]);
            spi_->OnErrRtnOrderInsert(&to, &info);
        } else if (kind == "RspOrderAction") {
            CThostFtdcInputOrderActionField to{};
            fill_action(to, frame);
            to.RequestID = id;
            spi_->OnRspOrderAction(&to, &info, id, true);
        } else if (kind == "ErrRtnOrderAction") {
            CThostFtdcOrderActionField to{};
            fill_action(to, frame);
            to.OrderActionStatus = THOST_FTDC_OAS_Rejected;
            put(to.StatusMsg, frame["ErrorMsg"]);
            spi_->OnErrRtnOrderAction(&to, &info);
        } else if (kind == "RtnErrorConditionalOrder") {
            CThostFtdcErrorConditionalOrderField to{};
            fill_order(to, frame["order"]);
            to.ErrorID = info.ErrorID;
            put(to.ErrorMsg, frame["ErrorMsg"]);
            spi_->OnRtnErrorConditionalOrder(&to);
        } else if (kind == "RspAuthenticate") {
            const Value &from = frame;
            CThostFtdcRspAuthenticateField to{};
            FILL(BrokerID, UserID, AppID)
            spi_->OnRspAuthenticate(&to, &info, id, true);
        } else if (kind == "RspUserLogout") {
            const Value &from = frame;
            CThostFtdcUserLogoutField to{};
            FILL(BrokerID, UserID)
            spi_->OnRspUserLogout(&to, &info, id, true);
        } else if (kind == "RspUserPasswordUpdate") {
            const Value &from = frame;
            CThostFtdcUserPasswordUpdateField to{};
            FILL(BrokerID, UserID)
            spi_->OnRspUserPasswordUpdate(&to, &info, id, true);
        } else if (kind == "RspSettlementInfoConfirm") {
            CThostFtdcSettlementInfoConfirmField to{};
            fill(to, frame);
            spi_->OnRspSettlementInfoConfirm(&to, &info, id, true);
        }
    }

    void logged_in(const Value &frame, CThostFtdcRspInfoField &info, int id) {
        CThostFtdcRspUserLoginField to{};
        const Value &from = frame;
        if (!info.ErrorID) {
            FILL(TradingDay, BrokerID, UserID, FrontID, SessionID, MaxOrderRef)
            put_login_times(to, frame["now"]);
            put(trading_day_, frame["TradingDay"]);
            logged_in_ = true;
        }
        spi_->OnRspUserLogin(&to, &info, id, true);
    }

    template <class Field>
    void call(void (CThostFtdcTraderSpi::*callback)(Field *), const Value &row) {
        Field to{};
        fill(to, row);
        (spi_->*callback)(&to);
    }

    // The rows of a query, the last of the last frame marked; no row is a callback without one.
    template <class Field>
    using Answer = void (CThostFtdcTraderSpi::*)(Field *, CThostFtdcRspInfoField *, int, bool);

    template <class Field>
    void answer_with(Answer<Field> callback, const Value &frame, CThostFtdcRspInfoField &info, int id) {
        const bool last = frame["last"].integer;
        const auto &rows = frame["rows"].items;
        CThostFtdcRspInfoField *error = info.ErrorID ? &info : nullptr;
        if (rows.empty()) return (spi_->*callback)(nullptr, error, id, last);
        for (size_t i = 0; i < rows.size(); ++i) {
            Field to{};
            fill(to, rows[i]);
            (spi_->*callback)(&to, error, id, last && i + 1 == rows.size());
        }
    }

    void answer(const Value &frame, CThostFtdcRspInfoField &info, int id) {
        using Spi = CThostFtdcTraderSpi;
        const std::string &what = frame["what"].text;
        if (what == "instrument") answer_with(&Spi::OnRspQryInstrument, frame, info, id);
        else if (what == "depth") answer_with(&Spi::OnRspQryDepthMarketData, frame, info, id);
        else if (what == "order") answer_with(&Spi::OnRspQryOrder, frame, info, id);
        else if (what == "trade") answer_with(&Spi::OnRspQryTrade, frame, info, id);
        else if (what == "position") answer_with(&Spi::OnRspQryInvestorPosition, frame, info, id);
        else if (what == "position_detail") answer_with(&Spi::OnRspQryInvestorPositionDetail, frame, info, id);
        else if (what == "account") answer_with(&Spi::OnRspQryTradingAccount, frame, info, id);
        else if (what == "margin_rate") answer_with(&Spi::OnRspQryInstrumentMarginRate, frame, info, id);
        else if (what == "commission_rate") answer_with(&Spi::OnRspQryInstrumentCommissionRate, frame, info, id);
        else if (what == "settlement") answer_with(&Spi::OnRspQrySettlementInfo, frame, info, id);
        else if (what == "settlement_confirm") answer_with(&Spi::OnRspQrySettlementInfoConfirm, frame, info, id);
    }

    std::recursive_mutex calling_;  // of all below; held while the client is called back
    CThostFtdcTraderSpi *spi_ = nullptr;
    bool logged_in_ = false;
    TThostFtdcDateType trading_day_{};
    bool replay_ = true;
};

}  // namespace

CThostFtdcTraderApi *CThostFtdcTraderApi::CreateFtdcTraderApi(const char *) { return new Trader; }
const char *CThostFtdcTraderApi::GetApiVersion() { return "v6.6.7 stand-in of the tests"; }
