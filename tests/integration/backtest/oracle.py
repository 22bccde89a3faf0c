"""What empyrical-reloaded 0.7.1 (numpy, pandas) says of returns drawn so: `random.Random(seed)`, `n` times
`round(gauss(0.0005, scale), 6)`; with annualization=242. Taken down once.
"""

from __future__ import annotations

ORACLE: list[dict[str, float]] = [
    {
        "seed": 1,
        "n": 60,
        "scale": 0.01,
        "annual_return": 0.40294937760013894,
        "sharpe": 2.5202639558663433,
        "sortino": 4.067922267643202,
        "calmar": 7.77202178286679,
        "volatility": 0.1381528044008571,
        "max_drawdown": -0.05184614619691749,
    },
    {
        "seed": 2,
        "n": 242,
        "scale": 0.02,
        "annual_return": -0.12992556517180098,
        "sharpe": -0.28221679329707505,
        "sortino": -0.38296815698595665,
        "calmar": -0.26818809795138826,
        "volatility": 0.31603009501321583,
        "max_drawdown": -0.48445686502967505,
    },
    {
        "seed": 3,
        "n": 500,
        "scale": 0.005,
        "annual_return": 0.04975189944269909,
        "sharpe": 0.6707627621505875,
        "sortino": 0.9708981681272395,
        "calmar": 0.5063866329755728,
        "volatility": 0.0767797363033071,
        "max_drawdown": -0.09824884031861685,
    },
    {
        "seed": 4,
        "n": 5,
        "scale": 0.03,
        "annual_return": 6.474914142787176,
        "sharpe": 8.495770139959259,
        "sortino": 22.034101528303715,
        "calmar": 485.84933914513067,
        "volatility": 0.2404626733474449,
        "max_drawdown": -0.01332700000000004,
    },
]
